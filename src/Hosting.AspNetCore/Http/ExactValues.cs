using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using KafkaEventSourcing.Avro;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// Values that JSON's readers and writers would change on the way: decimals as text, since browsers hold 15 digits of a number; times
/// with an offset and times without one, which .NET takes for one another by the zone of the machine; numbers that a <c>double</c> has
/// no room for, which .NET takes for infinite, and infinite ones, which it does not write.
/// </summary>
internal static class ExactValues
{
    private const string LocalFormat = "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF";

    public static void Add(IList<JsonConverter> converters)
    {
        converters.Add(new Decimals());
        converters.Add(new LocalTimes());
        converters.Add(new Instants());
        converters.Add(new Floats<double>());
        converters.Add(new Floats<float>());
    }

    /// <summary>Tells the API document what it cannot know of converters: these, and those of generated types.</summary>
    public static async Task Describe(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        Type type = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) ?? context.JsonTypeInfo.Type;
        JsonSchemaType nullable = type == context.JsonTypeInfo.Type ? 0 : JsonSchemaType.Null;
        if (type == typeof(decimal) || type == typeof(AvroDecimal))
            Set(JsonSchemaType.String | JsonSchemaType.Number, "decimal", "12.50");
        else if (type == typeof(DateTime))
            Set(JsonSchemaType.String, "date-time-local", "2026-01-31T12:00:00");
        else if (type == typeof(DateTimeOffset))
            Set(JsonSchemaType.String, "date-time", "2026-01-31T12:00:00Z");
        else if (type == typeof(double) || type == typeof(float))
            (schema.Type, schema.Format) = (JsonSchemaType.Number | nullable, type == typeof(double) ? "double" : "float");
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

        return;

        void Set(JsonSchemaType types, string format, string example) =>
            (schema.Type, schema.Format, schema.Examples) = (types | nullable, format, [JsonValue.Create(example)]);
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

    private sealed class Instants : JsonConverter<DateTimeOffset>
    {
        public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String && HasOffset(reader.GetString()!)
                && reader.TryGetDateTimeOffset(out DateTimeOffset value)
                ? value
                : throw new JsonException("It must be a time with an offset, such as 2026-01-31T12:00:00Z.");

        public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value);

        private static bool HasOffset(string text) =>
            text.IndexOf('T', StringComparison.Ordinal) is >= 0 and var time && text.AsSpan(time).IndexOfAny("Z+-") >= 0;
    }

    private sealed class Floats<T> : JsonConverter<T> where T : struct, IBinaryFloatingPointIeee754<T>
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.Number && Parsed(ref reader) is var value && T.IsFinite(value)
                ? value
                : throw new JsonException("It must be a number that the type has room for.");

        // JSON has no numbers for them, and a state that has one is to be seen all the same.
        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options)
        {
            if (!T.IsFinite(value))
                writer.WriteStringValue(value.ToString(null, CultureInfo.InvariantCulture));
            else if (value is float single)
                writer.WriteNumberValue(single);
            else
                writer.WriteNumberValue(double.CreateChecked(value));
        }

        private static T Parsed(ref Utf8JsonReader reader) =>
            typeof(T) == typeof(float) ? T.CreateChecked(reader.GetSingle()) : T.CreateChecked(reader.GetDouble());
    }
}
