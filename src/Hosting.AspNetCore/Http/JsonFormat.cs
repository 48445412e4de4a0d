using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>JSON as the HTTP interface speaks it: camel case, enums by name, decimals as text, unknown fields refused.</summary>
internal static class JsonFormat
{
    // What a message may hold (AvroLimits.MaxDepth), with what stands around it.
    private const int MaxDepth = 100;

    public static JsonSerializerOptions Options { get; } = Create();

    public static void Apply(JsonSerializerOptions options)
    {
        options.PropertyNamingPolicy = JsonNamingPolicy.CamelCase;
        options.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
        options.RespectNullableAnnotations = true;
        options.RespectRequiredConstructorParameters = true;
        options.AllowDuplicateProperties = false;
        options.NumberHandling = JsonNumberHandling.Strict;
        options.Converters.Add(new SingleNameEnums());
        ExactValues.Add(options.Converters);
        options.TypeInfoResolver = new DefaultJsonTypeInfoResolver();
        options.MaxDepth = MaxDepth;
    }

    private static JsonSerializerOptions Create()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web);
        Apply(options);
        options.MakeReadOnly();
        return options;
    }
}
