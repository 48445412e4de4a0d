using System.Text;
using Confluent.Kafka;
using Streamiz.Kafka.Net.SerDes;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Keys as text in UTF-8. Bytes that are not UTF-8, which no event's key is, come through unchanged too: whether an operator has discarded
/// such a record is known behind this.
/// </summary>
internal sealed class KeySerDes : AbstractSerDes<string>
{
    private const char Foreign = '\0'; // no aggregate id has it

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The one of these.</summary>
    public static KeySerDes Instance { get; } = new();

    /// <summary>The bytes of <paramref name="key"/>.</summary>
    public static byte[] BytesOf(string key) =>
        key is [Foreign, .. var base64] ? Convert.FromBase64String(base64) : Strict.GetBytes(key);

    /// <inheritdoc/>
    public override byte[]? Serialize(string? data, SerializationContext context) => data is null ? null : BytesOf(data);

    /// <inheritdoc/>
    public override string Deserialize(byte[]? data, SerializationContext context)
    {
        if (data is null)
            return null!;
        try
        {
            string text = Strict.GetString(data);
            if (text is not [Foreign, ..])
                return text;
        }
        catch (DecoderFallbackException)
        {
            // told apart below
        }

        return Foreign + Convert.ToBase64String(data);
    }
}
