using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// An <see cref="AvroDecimal"/> as text: readers of JSON that hold numbers in binary, as browsers do, keep some 15 digits. A number is
/// taken too, with all its digits.
/// </summary>
public sealed class AvroDecimalJsonConverter : JsonConverter<AvroDecimal>
{
    /// <inheritdoc/>
    public override AvroDecimal Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        ReadNumber(ref reader);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, AvroDecimal value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString());

    /// <summary>The number or the text that comes.</summary>
    /// <exception cref="JsonException">It is not a decimal number.</exception>
    public static AvroDecimal ReadNumber(ref Utf8JsonReader reader)
    {
        string? text = reader.TokenType switch
        {
            JsonTokenType.String => reader.GetString(),
            JsonTokenType.Number => Encoding.UTF8.GetString(reader.HasValueSequence ? reader.ValueSequence.ToArray() : reader.ValueSpan),
            _ => null,
        };
        return AvroDecimal.TryParse(text, null, out AvroDecimal value)
            ? value
            : throw new JsonException("It must be a decimal number, as a number or as text.");
    }
}
