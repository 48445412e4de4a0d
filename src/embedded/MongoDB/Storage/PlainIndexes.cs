using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>
/// The indexes of a collection as far as their entries follow from a document's bytes: fields of the document itself, neither unique nor
/// sparse. Of each field that any of them needs, <see cref="TryFind"/> finds the place in one walk.
/// </summary>
internal sealed class PlainIndexes
{
    private readonly byte[][] _names = [];

    public PlainIndexes(IReadOnlyList<IndexDefinition> indexes)
    {
        Of = indexes;
        IndexDefinition[] secondary = [.. indexes.Where(i => i.Number != 0)];
        if (secondary.Any(i => i.Unique || i.Sparse || i.HasPaths))
            return;
        string[] names = [.. secondary.SelectMany(i => i.Fields.Select(f => f.Path)).Distinct(StringComparer.Ordinal)];
        _names = [.. names.Select(System.Text.Encoding.UTF8.GetBytes)];
        Entries = [.. secondary.Select(i =>
            new PlainIndex(i.Number, [.. i.Fields.Select(f => (Array.IndexOf(names, f.Path), f.Descending))]))];
    }

    /// <summary>What this was made of.</summary>
    public IReadOnlyList<IndexDefinition> Of { get; }

    /// <summary>How the entries are made; null: not all indexes are plain.</summary>
    public PlainIndex[]? Entries { get; }

    public int Fields => _names.Length;

    /// <summary>Where the fields are in <paramref name="document"/>; false when one is of a type that takes the general way.</summary>
    public bool TryFind(ReadOnlySpan<byte> document, Span<PlainField> fields)
    {
        fields.Fill(new PlainField(BsonType.Null, 0, 0)); // an index has the missing as null
        int at = sizeof(int);
        int missing = _names.Length;
        for (var walk = new RawBson(document); missing > 0 && walk.MoveNext();)
        {
            RawElement field = walk.Current;
            int value = at + 1 + field.Name.Length + 1;
            at = value + field.Value.Length;
            int name = IndexOf(field.Name);
            if (name < 0 || fields[name].At > 0)
                continue;
            if (field.Type is not (BsonType.String or BsonType.Int32 or BsonType.Int64 or BsonType.DateTime or BsonType.ObjectId
                or BsonType.Boolean or BsonType.Null))
                return false;
            fields[name] = new PlainField(field.Type, value, field.Value.Length);
            missing--;
        }

        return true;
    }

    /// <summary>The entry of <paramref name="index"/> for a document whose fields were found.</summary>
    public static ReadOnlySpan<byte> Entry(KeyString key, int collection, PlainIndex index, ReadOnlySpan<byte> document,
        ReadOnlySpan<PlainField> fields, ReadOnlySpan<byte> documentKey)
    {
        key.Reset().Int32(collection).Int32(index.Number);
        foreach ((int name, bool descending) in index.Fields)
        {
            PlainField field = fields[name];
            bool appended = key.TryAppend(field.Type, document.Slice(field.At, field.Length), descending);
            System.Diagnostics.Debug.Assert(appended);
        }

        return key.Raw(documentKey[DocumentStore.DocumentKeyPrefix..]).Written;
    }

    private int IndexOf(ReadOnlySpan<byte> name)
    {
        for (int i = 0; i < _names.Length; i++)
        {
            if (name.SequenceEqual(_names[i]))
                return i;
        }

        return -1;
    }
}

/// <summary>How the entries of one index are made: for each of its fields, which of the found ones.</summary>
internal sealed record PlainIndex(int Number, (int Name, bool Descending)[] Fields);

/// <summary>Where a field's value is in a document; at 0 when it has none.</summary>
internal readonly record struct PlainField(BsonType Type, int At, int Length);
