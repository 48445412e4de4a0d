using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>A place in an events topic: everything before <paramref name="Next"/> is handled, or parked.</summary>
internal sealed record LedgerMark(TopicId Topic, long Next)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Topic}@{Next}");

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, [NotNullWhen(true)] out LedgerMark? mark)
    {
        mark = null;
        int at = text.IndexOf((byte)'@');
        if (at < 0
            || !TopicId.TryParse(text[..at], out TopicId topic)
            || !CloudEventHeaders.TryDecodeNumber(text[(at + 1)..], out long next)
            || next < 0)
            return false;
        mark = new LedgerMark(topic, next);
        return true;
    }

    public byte[] ToBytes() => Encoding.UTF8.GetBytes(ToString());
}
