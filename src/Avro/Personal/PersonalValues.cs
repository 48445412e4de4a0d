using System.Buffers.Text;
using System.Text;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// How values of fields that are tagged as personal are in Avro: as a text or bytes that begin with <see cref="Prefix"/>.
/// </summary>
public static class PersonalValues
{
    /// <summary>The tag in <c>confluent:tags</c> that has a field sealed.</summary>
    public const string Tag = "PII";

    /// <summary>
    /// What a sealed value begins with; in a text, base64url (RFC 4648, section 5) follows, in bytes the sealed value itself.
    /// </summary>
    public const string Prefix = "kes:sealed:1:";

    /// <summary>What is read, and written, in place of each text of somebody who was erased; of bytes, this in UTF-8.</summary>
    public const string Erased = "[erased]";

    private static readonly byte[] PrefixBytes = Encoding.ASCII.GetBytes(Prefix);
    private static readonly byte[] ErasedBytes = Encoding.ASCII.GetBytes(Erased);

    /// <summary>Whether <paramref name="value"/> is what is read in place of erased bytes.</summary>
    public static bool IsErased(ReadOnlySpan<byte> value) => value.SequenceEqual(ErasedBytes);

    internal static string? Seal(IFieldProtection protection, string subject, string field, string value)
    {
        if (value == Erased)
            return value;
        byte[] utf8;
        try
        {
            utf8 = AvroLimits.Utf8.GetBytes(value);
        }
        catch (EncoderFallbackException lone)
        {
            throw AvroWriter.Lone(field, lone);
        }

        return protection.Seal(subject, field, utf8) is { } made ? Prefix + Base64Url.EncodeToString(made) : null;
    }

    internal static byte[]? Seal(IFieldProtection protection, string subject, string field, byte[] value) =>
        IsErased(value) ? value
        : protection.Seal(subject, field, value) is { } made ? [.. PrefixBytes, .. made]
        : null;

    internal static string Open(IFieldProtection protection, string value, int position)
    {
        if (!value.StartsWith(Prefix, StringComparison.Ordinal))
            return value;
        try
        {
            return protection.Open(Base64Url.DecodeFromChars(value.AsSpan(Prefix.Length))) is { } opened
                ? AvroLimits.Utf8.GetString(opened)
                : Erased;
        }
        catch (Exception malformed) when (malformed is FormatException or InvalidDataException or DecoderFallbackException)
        {
            throw new AvroDecodeException(position, $"A sealed text cannot be opened: {malformed.Message}");
        }
    }

    internal static byte[] Open(IFieldProtection protection, byte[] value, int position)
    {
        if (!value.AsSpan().StartsWith(PrefixBytes))
            return value;
        try
        {
            return protection.Open(value.AsSpan(PrefixBytes.Length)) ?? [.. ErasedBytes];
        }
        catch (InvalidDataException malformed)
        {
            throw new AvroDecodeException(position, $"Sealed bytes cannot be opened: {malformed.Message}");
        }
    }
}
