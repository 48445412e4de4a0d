using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using KafkaEventSourcing.Avro;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// Values that JSON's readers and writers would change on the way: decimals as text, since browsers hold 15 digits of a number, and times
/// without a zone as such, which .NET moves by the zone of the machine when there is an offset.
/// </summary>
internal static class ExactValues
{
    private const string LocalFormat = "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF";

    public static void Add(IList<JsonConverter> converters)
    {
        converters.Add(new Decimals());
        converters.Add(new LocalTimes());
    }

    /// <summary>Tells the API document what it cannot know of converters: these, and those of generated types.</summary>
    public static async Task Describe(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        Type type = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) ?? context.JsonTypeInfo.Type;
        JsonSchemaType nullable = type == context.JsonTypeInfo.Type ? 0 : JsonSchemaType.Null;
        if (type == typeof(decimal) || type == typeof(AvroDecimal))
            (schema.Type, schema.Examples) = (JsonSchemaType.String | JsonSchemaType.Number | nullable, [JsonValue.Create("12.50")]);
        else if (type == typeof(DateTime))
            (schema.Type, schema.Examples) = (JsonSchemaType.String | nullable, [JsonValue.Create("2026-01-31T12:00:00")]);
        if (AvroUnion.BranchesOf(type) is not { Count: > 0 } branches)
            return;
        schema.OneOf = [];
        foreach (AvroBranch branch in branches)
        {
            schema.OneOf.Add(new OpenApiSchema
            {
                Type = JsonSchemaType.Object,
                Required = new HashSet<string> { branch.Name },
                Properties = new Dictionary<string, IOpenApiSchema>
                {
                    [branch.Name] = await context.GetOrCreateSchemaAsync(branch.ValueType, null, cancellationToken).ConfigureAwait(false),
                },
            });
        }
    }

    private sealed class Decimals : JsonConverter<decimal>
    {
        public override decimal Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            AvroDecimalJsonConverter.ReadNumber(ref reader).TryToDecimal(out decimal value)
                ? value
                : throw new JsonException("It has more digits than a decimal holds.");

        public override void Write(Utf8JsonWriter writer, decimal value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.ToString(CultureInfo.InvariantCulture));
    }

    private sealed class LocalTimes : JsonConverter<DateTime>
    {
        public override DateTime Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String
                && DateTime.TryParseExact(reader.GetString(), LocalFormat, CultureInfo.InvariantCulture, DateTimeStyles.None,
                    out DateTime value)
                ? value
                : throw new JsonException("It must be a time without an offset, such as 2026-01-31T12:00:00.");

        public override void Write(Utf8JsonWriter writer, DateTime value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.ToString(LocalFormat, CultureInfo.InvariantCulture));
    }
}
