using System.Reflection;
using MongoDB.Bson;
using MongoDB.Bson.Serialization;
using MongoDB.Driver;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>An index of a read model as it is stored; made before the first document is written.</summary>
/// <param name="Projection">The read model's name.</param>
/// <param name="Fields">Field names as stored, in order; a leading <c>-</c> means descending.</param>
public sealed record MongoIndex(string Projection, params IReadOnlyList<string> Fields)
{
    /// <summary>Whether no two documents may have the same values. Default false.</summary>
    public bool Unique { get; init; }

    /// <summary>The indexes that <paramref name="projection"/> declares, with the names of their fields as they are stored.</summary>
    /// <exception cref="InvalidOperationException">A field is not stored.</exception>
    public static IReadOnlyList<MongoIndex> Of(ProjectionDefinition projection)
    {
        ArgumentNullException.ThrowIfNull(projection);
        DocumentConventions.Apply(projection.DocumentType);
        return [.. projection.Indexes.Select(i =>
            new MongoIndex(projection.Name,
                [.. i.Fields.Select(f =>
                    $"{(f.IsDescending ? "-" : "")}{string.Join('.', f.Path.Select(m => StoredName(projection, f, m)))}")])
                    {
                        Unique = i.IsUnique,
                    })];
    }

    /// <summary>
    /// The keys as they are stored: behind the fields, unless they are unique, the document's <c>_id</c>, so that pages have one order and
    /// a place to go on from.
    /// </summary>
    public IReadOnlyList<MongoIndexKey> Keys
    {
        get
        {
            var keys = new List<MongoIndexKey>(Fields.Select(f =>
                f.StartsWith('-') ? new MongoIndexKey(f[1..], IsDescending: true) : new MongoIndexKey(f, IsDescending: false)));
            if (!Unique && !keys.Exists(k => k.Field == "_id"))
                keys.Add(new MongoIndexKey("_id", IsDescending: false));
            return keys;
        }
    }

    // The member may be inherited: its map is that of the type which declares it.
    private static string StoredName(ProjectionDefinition projection, ReadModelIndexField field, MemberInfo member) =>
        BsonClassMap.LookupClassMap(member.DeclaringType!).GetMemberMap(member.Name)?.ElementName
        ?? throw new InvalidOperationException($"The index field '{field}' of the read model '{projection.Name}' is not stored.");

    internal CreateIndexModel<BsonDocument> ToModel()
    {
        if (Fields.Count == 0)
            throw new InvalidInputException("index", $"An index of '{Projection}' names no field.");

        var keys = new BsonDocument(Keys.Select(k => new BsonElement(k.Field, k.IsDescending ? -1 : 1)));
        return new CreateIndexModel<BsonDocument>(keys, new CreateIndexOptions { Unique = Unique ? true : null });
    }
}

/// <summary>A key of an index.</summary>
/// <param name="Field">The field, as stored.</param>
/// <param name="IsDescending">Whether larger values come first.</param>
public readonly record struct MongoIndexKey(string Field, bool IsDescending);
