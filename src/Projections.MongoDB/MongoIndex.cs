using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>An index that a read model needs for its queries; made before the first document is written.</summary>
/// <param name="Projection">The read model's name.</param>
/// <param name="Fields">Field names as stored, in order; a leading <c>-</c> means descending.</param>
public sealed record MongoIndex(string Projection, params IReadOnlyList<string> Fields)
{
    /// <summary>Whether no two documents may have the same values. Default false.</summary>
    public bool Unique { get; init; }

    internal CreateIndexModel<BsonDocument> ToModel()
    {
        if (Fields.Count == 0)
            throw new InvalidInputException("index", $"An index of '{Projection}' names no field.");

        var keys = new BsonDocument();
        foreach (string field in Fields)
        {
            bool descending = field.StartsWith('-');
            keys.Add(descending ? field[1..] : field, descending ? -1 : 1);
        }

        return new CreateIndexModel<BsonDocument>(keys, new CreateIndexOptions { Unique = Unique ? true : null });
    }
}
