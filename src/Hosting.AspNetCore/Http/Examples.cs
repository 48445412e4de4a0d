using System.Text.Json;
using System.Text.Json.Nodes;
using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Projections.MongoDB;
using MongoDB.Bson;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>The examples of the OpenAPI document: those that the application gave, else values made from the types. Thread-safe.</summary>
internal sealed class Examples(ApplicationDefinition application)
{
    private const string Id = "4711";
    private const string Token = "3@1205";

    /// <summary>What an accepted command is answered with.</summary>
    public static JsonNode Outcome => JsonSerializer.SerializeToNode(new CommandOutcome("open-4711", Id, 1, Token, Duplicate: false),
        JsonFormat.Options)!;

    /// <summary>What a strong read is answered with.</summary>
    public static JsonNode AnswerWith(JsonNode state) =>
        new JsonObject { ["id"] = Id, ["version"] = 1, ["token"] = Token, ["state"] = state };

    /// <summary>What a read of a history is answered with.</summary>
    public JsonNode HistoryOf(AggregateDefinition aggregate)
    {
        Type type = aggregate.EventTypes.First();
        return new JsonObject
        {
            ["id"] = Id,
            ["version"] = 1,
            ["token"] = Token,
            ["events"] = new JsonArray(new JsonObject
            {
                ["version"] = 1,
                ["time"] = "2026-03-01T12:00:00Z",
                ["type"] = EventSourcedNode.RecordTypeOf(type).FullName,
                ["commandId"] = "open-4711",
                ["correlationId"] = "open-4711",
                ["token"] = Token,
                ["event"] = JsonOf(type),
            }),
            ["next"] = null,
        };
    }

    /// <summary>An example of a command or a state, as the HTTP interface writes it.</summary>
    public JsonNode JsonOf(Type type) => JsonSerializer.SerializeToNode(Given(type) ?? SampleValue.Of(type), type, JsonFormat.Options)!;

    /// <summary>An example of a document, as it is stored.</summary>
    public BsonDocument DocumentOf(ProjectionDefinition projection) =>
        ReadModelDocuments.ToBson(projection, Given(projection.DocumentType) ?? SampleValue.Of(projection.DocumentType));

    /// <summary>A document of which every field has a value: the types of its fields can be read off it.</summary>
    public static BsonDocument ShapeOf(ProjectionDefinition projection) =>
        ReadModelDocuments.ToBson(projection, SampleValue.Of(projection.DocumentType));

    private object? Given(Type type) => application.Examples.FirstOrDefault(e => e.GetType() == type);
}
