using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>hello, isMaster: a replica set of one member.</summary>
internal static class HelloCommand
{
    private const int MaxWireVersion = 21; // MongoDB 7.0
    private const string SetName = "kes";

    public static BsonDocument Run(MongoServer server) => new()
    {
        { "helloOk", true },
        { "ismaster", true },
        { "isWritablePrimary", true },
        { "secondary", false },
        { "setName", SetName },
        { "setVersion", 1 },
        { "electionId", server.ElectionId },
        { "hosts", new BsonArray { server.Address } },
        { "primary", server.Address },
        { "me", server.Address },
        { "maxBsonObjectSize", 16777216 },
        { "maxMessageSizeBytes", 48000000 },
        { "maxWriteBatchSize", 100000 },
        { "localTime", new BsonDateTime(server.Time.GetUtcNow().UtcDateTime) },
        { "logicalSessionTimeoutMinutes", 30 },
        { "minWireVersion", 0 },
        { "maxWireVersion", MaxWireVersion },
        { "readOnly", false },
    };
}
