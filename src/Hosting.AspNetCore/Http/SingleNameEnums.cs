using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// Enums by a single name, in any letter case where that is one name. <see cref="JsonStringEnumConverter"/> takes <c>"A,B"</c> as a
/// combination of flags, also of an enum that has none: what comes out is another symbol, or a number that no schema has.
/// </summary>
internal sealed class SingleNameEnums : JsonConverterFactory
{
    public override bool CanConvert(Type typeToConvert) => typeToConvert.IsEnum;

    public override JsonConverter CreateConverter(Type typeToConvert, JsonSerializerOptions options) =>
        (JsonConverter)Activator.CreateInstance(typeof(Converter<>).MakeGenericType(typeToConvert))!;

    /// <summary>Tells the API document the names, which it cannot know of a converter.</summary>
    public static Task Describe(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        Type type = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) ?? context.JsonTypeInfo.Type;
        if (type.IsEnum)
        {
            schema.Type = JsonSchemaType.String | (type == context.JsonTypeInfo.Type ? 0 : JsonSchemaType.Null);
            schema.Enum = [.. Enum.GetNames(type).Select(n => (JsonNode)n)];
        }

        return Task.CompletedTask;
    }

    private sealed class Converter<T> : JsonConverter<T>
        where T : struct, Enum
    {
        private static readonly string[] Names = Enum.GetNames<T>();
        private static readonly Dictionary<string, T> ByName = Names.ToDictionary(n => n, Enum.Parse<T>, StringComparer.Ordinal);
        private static readonly Dictionary<string, T> ByAnyCase = Names.GroupBy(n => n, StringComparer.OrdinalIgnoreCase).Where(g =>
            g.Count() == 1).ToDictionary(g => g.Key, g => ByName[g.Single()], StringComparer.OrdinalIgnoreCase);

        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String
                ? Parse(reader.GetString()!)
                : throw new JsonException($"It must be one of {string.Join(", ", Names)}, as a text.");

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(NameOf(value));

        public override T ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            Parse(reader.GetString()!);

        public override void WriteAsPropertyName(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
            writer.WritePropertyName(NameOf(value));

        private static string NameOf(T value) => Enum.GetName(value)
            ?? throw new JsonException($"{value:D} is no {typeof(T).Name}; there are {string.Join(", ", Names)}.");

        private static T Parse(string text) =>
            ByName.TryGetValue(text, out T value) || ByAnyCase.TryGetValue(text, out value)
                ? value
                : throw new JsonException($"'{text}' is not one of {string.Join(", ", Names)}.");
    }
}
