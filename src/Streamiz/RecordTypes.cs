using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Streamiz;

/// <summary>Record types that are known at run time only.</summary>
internal static class RecordTypes
{
    private static readonly JsonDocumentOptions Deep = new() { MaxDepth = 512 };

    private static readonly MethodInfo OfType = typeof(AvroRecordType).GetMethod(nameof(AvroRecordType.Of))!;

    /// <summary>The record type of <paramref name="type"/>.</summary>
    /// <exception cref="InvalidOperationException">It was not generated from an Avro schema.</exception>
    public static AvroRecordType Of(Type type) => IsRecord(type)
        ? (AvroRecordType)OfType.MakeGenericMethod(type).Invoke(null, null)!
        : throw new InvalidOperationException(
            $"{type.FullName} is not generated from an Avro schema: events, states and results of streams are kept in Avro.");

    /// <summary>The schema of <paramref name="type"/> to be put into another: a type without a namespace stays without one.</summary>
    public static JsonNode Embedded(AvroRecordType type)
    {
        JsonObject schema = JsonNode.Parse(type.SchemaJson, documentOptions: Deep)!.AsObject();
        if (!schema.ContainsKey("namespace") && !type.FullName.Contains('.', StringComparison.Ordinal))
            schema["namespace"] = "";
        return schema;
    }

    private static bool IsRecord(Type type) =>
        type.GetInterfaces().Any(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IAvroRecord<>)
            && i.GenericTypeArguments[0] == type);
}
