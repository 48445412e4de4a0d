using MongoDB.Bson;
using MongoDB.Bson.IO;
using MongoDB.Bson.Serialization;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>Documents of read models as they are stored. Thread-safe.</summary>
public static class ReadModelDocuments
{
    /// <summary>How <paramref name="document"/> of <paramref name="projection"/> is stored, its key first.</summary>
    public static BsonDocument ToBson(ProjectionDefinition projection, object document)
    {
        ArgumentNullException.ThrowIfNull(projection);
        DocumentConventions.Apply(projection.DocumentType);
        var stored = new BsonDocument();
        using var writer = new BsonDocumentWriter(stored);
        BsonSerializer.Serialize(writer, projection.DocumentType, document, args: new BsonSerializationArgs(projection.DocumentType, serializeAsNominalType: false, serializeIdFirst: true));
        return stored;
    }
}
