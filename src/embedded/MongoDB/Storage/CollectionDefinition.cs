using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>An index of a collection. Number 0 is that of <c>_id</c>, which the documents themselves are kept by.</summary>
internal sealed record IndexDefinition(int Number, string Name, BsonDocument Keys, bool Unique, bool Sparse)
{
    public IReadOnlyList<(string Path, bool Descending)> Fields { get; } =
        [.. Keys.Select(k => (k.Name, k.Value.IsNumeric && k.Value.ToDouble() < 0))];

    /// <summary>
    /// Whether a document may have several entries ("multikey"): their order is not that of the documents then. It never becomes false
    /// again.
    /// </summary>
    public bool MayHaveArrays { get; set; }

    /// <summary>Whether a field is a path into a document.</summary>
    public bool HasPaths { get; } = Keys.Any(k => k.Name.Contains('.', StringComparison.Ordinal));

    public BsonDocument ToBson()
    {
        var document = new BsonDocument { { "v", 2 }, { "key", Keys }, { "name", Name } };
        if (Unique)
            document.Add("unique", true);
        if (Sparse)
            document.Add("sparse", true);
        return document;
    }
}

/// <summary>A collection: its id, which it keeps when it is renamed, its number in keys, and its indexes.</summary>
internal sealed record CollectionDefinition(Guid Id, string Database, string Name, int Number, IReadOnlyList<IndexDefinition> Indexes,
    int NextIndex)
{
    private PlainIndexes? _plain;

    public string Namespace => $"{Database}.{Name}";

    /// <summary>The indexes as far as entries follow from a document's bytes.</summary>
    public PlainIndexes Plain => _plain is { } plain && ReferenceEquals(plain.Of, Indexes) ? plain : _plain = new PlainIndexes(Indexes);
}
