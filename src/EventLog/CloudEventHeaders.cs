using System.Globalization;
using System.Text;
using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>Record headers as the CloudEvents 1.0 Kafka protocol binding has them in binary content mode, with this library's extensions.</summary>
public static class CloudEventHeaders
{
    /// <summary>The id: of a command its command id, of an event its own.</summary>
    public const string Id = "ce_id";

    /// <summary>Who made it.</summary>
    public const string Source = "ce_source";

    /// <summary>The full name of the Avro type.</summary>
    public const string Type = "ce_type";

    /// <summary>The aggregate id.</summary>
    public const string Subject = "ce_subject";

    /// <summary>When it was made, RFC 3339.</summary>
    public const string Time = "ce_time";

    /// <summary>The version of CloudEvents.</summary>
    public const string SpecVersion = "ce_specversion";

    /// <summary>Of an event: the aggregate version after it.</summary>
    public const string Sequence = "ce_sequence";

    /// <summary>What it is correlated with.</summary>
    public const string CorrelationId = "ce_correlationid";

    /// <summary>Of an event: the command id.</summary>
    public const string CausationId = "ce_causationid";

    /// <summary>W3C trace context.</summary>
    public const string TraceParent = "traceparent";

    /// <summary>Of a command: any, new, exists, or a version.</summary>
    public const string ExpectedVersion = "kes_expectedversion";

    /// <summary>Of a command: where the reply goes, <c>partition</c> or <c>partition/client</c>. Of a reply: the client.</summary>
    public const string ReplyTo = "kes_replyto";

    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'";

    /// <summary><c>1.0</c>, in UTF-8.</summary>
    public static byte[] SpecVersion10 { get; } = "1.0"u8.ToArray();

    /// <summary>A time as a header's value.</summary>
    public static byte[] Encode(DateTimeOffset time)
    {
        Span<byte> text = stackalloc byte[40];
        time.UtcDateTime.TryFormat(text, out int length, TimeFormat, CultureInfo.InvariantCulture);
        return text[..length].ToArray();
    }

    /// <summary>A number as a header's value.</summary>
    public static byte[] Encode(long number)
    {
        Span<byte> text = stackalloc byte[20];
        number.TryFormat(text, out int length, default, CultureInfo.InvariantCulture);
        return text[..length].ToArray();
    }

    /// <summary>Reads a time; false when it is none.</summary>
    public static bool TryDecodeTime(ReadOnlySpan<byte> value, out DateTimeOffset time) =>
        DateTimeOffset.TryParse(Encoding.UTF8.GetString(value), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out time);

    /// <summary>Reads a number; false when it is none.</summary>
    public static bool TryDecodeNumber(ReadOnlySpan<byte> value, out long number) =>
        long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);

    /// <summary>The value of the last header named <paramref name="name"/>; null when there is none.</summary>
    public static byte[]? Find(Headers headers, string name)
    {
        for (int i = headers.Count - 1; i >= 0; i--)
        {
            if (headers[i].Key == name)
                return headers[i].GetValueBytes();
        }

        return null;
    }
}
