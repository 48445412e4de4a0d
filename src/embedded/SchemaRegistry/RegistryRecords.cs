using System.Text.Json.Serialization;

namespace KafkaEventSourcing.Embedded.SchemaRegistry;

/// <summary>A name by which a schema uses another one.</summary>
internal sealed record SchemaReference(
    [property: JsonPropertyName("name")] string Name,
    [property: JsonPropertyName("subject")] string Subject,
    [property: JsonPropertyName("version")] int Version);

/// <summary>One version of a subject.</summary>
internal sealed record RegisteredSchema
{
    [JsonPropertyName("subject")]
    public required string Subject { get; init; }

    [JsonPropertyName("version")]
    public required int Version { get; init; }

    [JsonPropertyName("id")]
    public required int Id { get; init; }

    [JsonPropertyName("schemaType")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? SchemaType { get; init; }

    [JsonPropertyName("references")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<SchemaReference>? References { get; init; }

    [JsonPropertyName("schema")]
    public required string Schema { get; init; }

    [JsonPropertyName("deleted")]
    public bool Deleted { get; init; }
}

/// <summary>What a client sends to register or to check.</summary>
internal sealed record SchemaRequest
{
    [JsonPropertyName("schema")]
    public string? Schema { get; init; }

    [JsonPropertyName("schemaType")]
    public string? SchemaType { get; init; }

    [JsonPropertyName("references")]
    public List<SchemaReference>? References { get; init; }

    [JsonPropertyName("id")]
    public int? Id { get; init; }

    [JsonPropertyName("version")]
    public int? Version { get; init; }
}
