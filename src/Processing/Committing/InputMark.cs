using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// How far the commands of a partition are decided: <paramref name="Next"/> is the first offset of the command topic with the id
/// <paramref name="Topic"/> that is not. It is in the log with what the commands led to, so that it is known when the group's committed
/// offset is not.
/// </summary>
internal readonly record struct InputMark(TopicId Topic, long Next)
{
    private const byte Separator = (byte)'@';

    /// <summary>The mark as a header's value: <c>topic id@offset</c>.</summary>
    public byte[] ToBytes() => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Topic}{(char)Separator}{Next}"));

    public static bool TryParse(ReadOnlySpan<byte> text, out InputMark mark)
    {
        mark = default;
        int at = text.IndexOf(Separator);
        if (at < 0
            || !TopicId.TryParse(text[..at], out TopicId topic)
            || !CloudEventHeaders.TryDecodeNumber(text[(at + 1)..], out long next)
            || next < 0)
            return false;
        mark = new InputMark(topic, next);
        return true;
    }

    /// <summary>The mark of an event, which is its last header; most have none.</summary>
    public static bool TryRead(Headers headers, out InputMark mark)
    {
        mark = default;
        return headers.Count > 0 && headers[^1] is { Key: CloudEventHeaders.Input } last && TryParse(last.GetValueBytes(), out mark);
    }

    /// <summary>The one that is farther, of those that are of <paramref name="topic"/>; null: neither is.</summary>
    public static InputMark? Farthest(TopicId topic, params ReadOnlySpan<InputMark?> marks)
    {
        InputMark? farthest = null;
        foreach (InputMark? mark in marks)
        {
            if (mark is { } known && !known.Topic.Differs(topic) && known.Next > (farthest?.Next ?? -1))
                farthest = known;
        }

        return farthest;
    }
}
