using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
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

    /// <summary>A name of the schema that every registry gives it: the MD5 of its text and its references.</summary>
    [JsonIgnore]
    public Guid Guid
    {
        get
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
            hash.AppendData(Encoding.UTF8.GetBytes(Schema));
            Span<byte> version = stackalloc byte[sizeof(int)];
            foreach (SchemaReference reference in References ?? [])
            {
                hash.AppendData(Encoding.UTF8.GetBytes(reference.Name));
                hash.AppendData(Encoding.UTF8.GetBytes(reference.Subject));
                BinaryPrimitives.WriteInt32BigEndian(version, reference.Version);
                hash.AppendData(version);
            }

            return new Guid(hash.GetHashAndReset(), bigEndian: true);
        }
    }
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
