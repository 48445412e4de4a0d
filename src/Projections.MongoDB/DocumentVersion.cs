using MongoDB.Bson;
using MongoDB.Bson.Serialization;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>The version in documents of read models that fold: behind all other fields, as queries of people have no use for it.</summary>
public static class DocumentVersion
{
    /// <summary>The field's name.</summary>
    public const string Field = "_v";

    internal static StoredDocument<TDocument> Read<TDocument>(RawBsonDocument stored)
        where TDocument : class
    {
        using (stored)
        {
            long? version = stored.TryGetValue(Field, out BsonValue found) && found is BsonInt64 number ? number.Value : null;
            return new StoredDocument<TDocument>(BsonSerializer.Deserialize<TDocument>(stored), version);
        }
    }
}
