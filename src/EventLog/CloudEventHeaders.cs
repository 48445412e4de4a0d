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

    /// <summary>Of a command that a process sent: who is told its outcome, <c>process/step/id</c>.</summary>
    public const string AnswerTo = "kes_answerto";

    private const int WholeSecondsLength = 19;
    private const int MaxTimeLength = 27;

    /// <summary><c>1.0</c>, in UTF-8.</summary>
    public static byte[] SpecVersion10 { get; } = "1.0"u8.ToArray();

    /// <summary>A time as a header's value: RFC 3339 in UTC, with as many digits of a second's fraction as it needs, up to microseconds.</summary>
    public static byte[] Encode(DateTimeOffset time)
    {
        DateTime utc = time.UtcDateTime;
        Span<byte> text = stackalloc byte[MaxTimeLength];
        WriteDigits(text, utc.Year, 4);
        text[4] = text[7] = (byte)'-';
        WriteDigits(text[5..], utc.Month, 2);
        WriteDigits(text[8..], utc.Day, 2);
        text[10] = (byte)'T';
        WriteDigits(text[11..], utc.Hour, 2);
        text[13] = text[16] = (byte)':';
        WriteDigits(text[14..], utc.Minute, 2);
        WriteDigits(text[17..], utc.Second, 2);
        int length = WholeSecondsLength;
        int micros = (int)(utc.Ticks % TimeSpan.TicksPerSecond / TimeSpan.TicksPerMicrosecond);
        if (micros > 0)
        {
            text[length] = (byte)'.';
            WriteDigits(text[(length + 1)..], micros, 6);
            length += 7;
            while (text[length - 1] == (byte)'0')
                length--;
        }

        text[length++] = (byte)'Z';
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
        TryDecodeWholeSeconds(value, out time)
        || DateTimeOffset.TryParse(Encoding.UTF8.GetString(value), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out time);

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

    // What we write ourselves most of the time; everything else takes the general way.
    private static bool TryDecodeWholeSeconds(ReadOnlySpan<byte> value, out DateTimeOffset time)
    {
        time = default;
        if (value.Length != WholeSecondsLength + 1 || value[4] != '-' || value[7] != '-' || value[10] != 'T' || value[13] != ':' || value[16] != ':' || value[^1] != 'Z'
            || !TryReadDigits(value[..4], out int year) || !TryReadDigits(value[5..7], out int month) || !TryReadDigits(value[8..10], out int day)
            || !TryReadDigits(value[11..13], out int hour) || !TryReadDigits(value[14..16], out int minute) || !TryReadDigits(value[17..19], out int second)
            || year < 1 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 59)
            return false;
        time = new DateTimeOffset(year, month, day, hour, minute, second, TimeSpan.Zero);
        return true;
    }

    private static void WriteDigits(Span<byte> text, int number, int digits)
    {
        for (int i = digits - 1; i >= 0; i--, number /= 10)
            text[i] = (byte)('0' + (number % 10));
    }

    private static bool TryReadDigits(ReadOnlySpan<byte> text, out int number)
    {
        number = 0;
        foreach (byte digit in text)
        {
            if (!char.IsAsciiDigit((char)digit))
                return false;
            number = (number * 10) + (digit - '0');
        }

        return true;
    }
}
