using System.Globalization;
using System.Text;
using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Record headers as the CloudEvents 1.0 Kafka protocol binding has them in binary content mode, with this library's extensions.
/// </summary>
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

    /// <summary>What vendors have to say beside <see cref="TraceParent"/>.</summary>
    public const string TraceState = "tracestate";

    /// <summary>Of a command: any, new, exists, or a version.</summary>
    public const string ExpectedVersion = "kes_expectedversion";

    /// <summary>Of a command: where the reply goes, <c>partition</c> or <c>partition/client</c>. Of a reply: the client.</summary>
    public const string ReplyTo = "kes_replyto";

    /// <summary>Of a command that a process sent: who is told its outcome, <c>process/step/id</c>.</summary>
    public const string AnswerTo = "kes_answerto";

    /// <summary>
    /// The last header of the last event that a batch of commands from the command topic led to: how far they are decided, <c>topic
    /// id@offset</c>.
    /// </summary>
    public const string Input = "kes_input";

    private const int WholeSecondsLength = 19;

    /// <summary>The longest time, in bytes.</summary>
    public const int MaxTimeLength = 27;

    private const int Lower = 0x20;

    /// <summary><c>1.0</c>, in UTF-8.</summary>
    public static byte[] SpecVersion10 { get; } = "1.0"u8.ToArray();

    /// <summary>
    /// A time as a header's value: RFC 3339 in UTC, with as many digits of a second's fraction as it needs, up to microseconds.
    /// </summary>
    public static byte[] Encode(DateTimeOffset time)
    {
        Span<byte> text = stackalloc byte[MaxTimeLength];
        return text[..Encode(time, text)].ToArray();
    }

    /// <summary>
    /// Writes a time as <see cref="Encode(DateTimeOffset)"/> does and returns its length; <paramref name="text"/> has room for
    /// <see cref="MaxTimeLength"/> bytes.
    /// </summary>
    public static int Encode(DateTimeOffset time, Span<byte> text)
    {
        DateTime utc = time.UtcDateTime;
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
        return length;
    }

    /// <summary>A number as a header's value.</summary>
    public static byte[] Encode(long number)
    {
        Span<byte> text = stackalloc byte[20];
        number.TryFormat(text, out int length, default, CultureInfo.InvariantCulture);
        return text[..length].ToArray();
    }

    /// <summary>
    /// Reads a time as RFC 3339 has it: date, <c>T</c>, time, and <c>Z</c> or an offset; false when it is none. Digits of a second's
    /// fraction beyond the seventh are cut off; a leap second is the second after it.
    /// </summary>
    public static bool TryDecodeTime(ReadOnlySpan<byte> value, out DateTimeOffset time)
    {
        time = default;
        if (value.Length <= WholeSecondsLength
            || value[4] != '-'
            || value[7] != '-'
            || (value[10] | Lower) != 't'
            || value[13] != ':'
            || value[16] != ':'
            || !TryReadDigits(value[..4], out int year)
            || !TryReadDigits(value[5..7], out int month)
            || !TryReadDigits(value[8..10], out int day)
            || !TryReadDigits(value[11..13], out int hour)
            || !TryReadDigits(value[14..16], out int minute)
            || !TryReadDigits(value[17..19], out int second)
            || year < 1 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month) || hour > 23 || minute > 59
            || second > 60
            || !TryReadFraction(value[WholeSecondsLength..], out long fraction, out int length)
            || !TryReadOffset(value[(WholeSecondsLength + length)..], out int offsetMinutes))
            return false;
        bool isLeap = second == 60;
        long ticks = new DateTime(year, month, day, hour, minute, isLeap ? 59 : second).Ticks + fraction
            - (offsetMinutes * TimeSpan.TicksPerMinute);
        if (ticks < DateTime.MinValue.Ticks || ticks > DateTime.MaxValue.Ticks - TimeSpan.TicksPerSecond)
            return false;
        time = new DateTimeOffset(ticks, TimeSpan.Zero);
        if (!isLeap)
            return true;
        // Leap seconds are put in at the end of a day in UTC only.
        bool isEndOfDay = time is { Hour: 23, Minute: 59 };
        time = time.AddSeconds(1);
        return isEndOfDay;
    }

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

    private static bool TryReadFraction(ReadOnlySpan<byte> text, out long ticks, out int length)
    {
        (ticks, length) = (0, 0);
        if (text[0] != '.')
            return true;
        long unit = TimeSpan.TicksPerSecond / 10;
        for (length = 1; length < text.Length && char.IsAsciiDigit((char)text[length]); length++, unit /= 10)
            ticks += (text[length] - '0') * unit;
        return length > 1;
    }

    private static bool TryReadOffset(ReadOnlySpan<byte> text, out int minutes)
    {
        minutes = 0;
        if (text.Length == 1)
            return (text[0] | Lower) == 'z';
        if (text.Length != 6 || text[0] is not ((byte)'+' or (byte)'-') || text[3] != ':' || !TryReadDigits(text[1..3], out int hours)
            || !TryReadDigits(text[4..], out int rest) || hours > 23 || rest > 59)
            return false;
        minutes = ((hours * 60) + rest) * (text[0] == '-' ? -1 : 1);
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
