using System.Text.Json;
using System.Text.Json.Serialization;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// A generated union as Avro's JSON encoding has it: an object with one field, whose name is the branch, <c>{"string": "a"}</c>.
/// </summary>
public sealed class AvroUnionJsonConverter : JsonConverterFactory
{
    /// <inheritdoc/>
    public override bool CanConvert(Type typeToConvert) => AvroUnion.BranchesOf(typeToConvert).Count > 0;

    /// <inheritdoc/>
    public override JsonConverter CreateConverter(Type typeToConvert, JsonSerializerOptions options) =>
        (JsonConverter)Activator.CreateInstance(typeof(Converter<>).MakeGenericType(typeToConvert))!;

    private sealed class Converter<T> : JsonConverter<T>
        where T : class
    {
        private static readonly IReadOnlyList<AvroBranch> Branches = AvroUnion.BranchesOf(typeof(T));
        private static readonly Dictionary<Type, AvroBranch> ByType = Branches.ToDictionary(b => b.Type);

        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType != JsonTokenType.StartObject || !reader.Read() || reader.TokenType != JsonTokenType.PropertyName)
                throw Wrong();
            string name = reader.GetString()!;
            AvroBranch branch = Branches.FirstOrDefault(b => b.Name == name) ?? throw Wrong();
            reader.Read();
            object value = JsonSerializer.Deserialize(ref reader, branch.ValueType, options)
                ?? throw new JsonException($"The value of {name} is null.");
            return reader.Read() && reader.TokenType == JsonTokenType.EndObject
                ? (T)branch.Constructor.Invoke([value])
                : throw Wrong();
        }

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options)
        {
            AvroBranch branch = ByType.TryGetValue(value.GetType(), out AvroBranch? known)
                ? known
                : throw new JsonException($"{value.GetType().Name} is not a branch of {typeof(T).Name}.");
            writer.WriteStartObject();
            writer.WritePropertyName(branch.Name);
            JsonSerializer.Serialize(writer, branch.Value.GetValue(value), branch.ValueType, options);
            writer.WriteEndObject();
        }

        private static JsonException Wrong() =>
            new($"It must be an object with one field that names the type: {string.Join(", ", Branches.Select(b => b.Name))}.");
    }
}
