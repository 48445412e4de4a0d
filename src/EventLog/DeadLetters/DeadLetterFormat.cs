using System.Globalization;
using System.Text;
using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Records of the dead-letters topic. A letter is the original record, byte for byte in key, value and headers, with headers of ours behind
/// its own; what becomes of a letter is a record without value that names the letter's offset. The last header tells which it is: a header
/// of the same name in the original stands before ours and means nothing.
/// </summary>
public static class DeadLetterFormat
{
    /// <summary>The cause of a letter that waits behind another of its aggregate.</summary>
    public const string Queued = "queued";

    /// <summary>What is wrong: a stable name.</summary>
    public const string CauseHeader = "kes_cause";

    /// <summary>What is wrong, for a person.</summary>
    public const string MessageHeader = "kes_message";

    /// <summary>The topic that the original is in.</summary>
    public const string OriginTopicHeader = "kes_origintopic";

    /// <summary>Its partition there.</summary>
    public const string OriginPartitionHeader = "kes_originpartition";

    /// <summary>Its offset there.</summary>
    public const string OriginOffsetHeader = "kes_originoffset";

    /// <summary>Its timestamp there, in milliseconds.</summary>
    public const string OriginTimestampHeader = "kes_origintimestamp";

    /// <summary>When the entry was made, RFC 3339.</summary>
    public const string TimeHeader = "kes_parkedtime";

    /// <summary>
    /// The last header of every entry: <c>parked</c>, <c>queued</c>, <c>refused</c> (a retry failed), <c>retried</c> or <c>discarded</c>.
    /// </summary>
    public const string EntryHeader = "kes_deadletter";

    /// <summary>The offset of the letter that an entry is about.</summary>
    public const string DeadLetterHeader = "kes_deadletteroffset";

    /// <summary>Who asked.</summary>
    public const string ByHeader = "kes_by";

    /// <summary>Why a letter was discarded.</summary>
    public const string ReasonHeader = "kes_reason";

    /// <summary>The outcome of a letter that was processed.</summary>
    public const string OutcomeHeader = "kes_outcome";

    /// <summary>
    /// Of a discarded record of the events topic: the offset of the last event of its aggregate that is folded since; -1: none.
    /// </summary>
    public const string FoldedToHeader = "kes_foldedto";

    internal const string ParkedEntry = "parked";
    internal const string QueuedEntry = "queued";
    internal const string RefusedEntry = "refused";
    internal const string RetriedEntry = "retried";
    internal const string DiscardedEntry = "discarded";

    private const int DeadLetterHeaders = 8;
    private const int MaxMessageLength = 2_000;

    /// <summary>The letter of <paramref name="original"/>.</summary>
    public static Message<byte[], byte[]> Parked(ConsumeResult<byte[], byte[]> original, string cause, string message, bool queued,
        DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(original);
        var headers = new Headers();
        foreach (IHeader header in original.Message.Headers)
            headers.Add(header.Key, header.GetValueBytes());
        headers.Add(CauseHeader, Encoding.UTF8.GetBytes(cause));
        headers.Add(MessageHeader, Encoding.UTF8.GetBytes(Shortened(message)));
        headers.Add(OriginTopicHeader, Encoding.UTF8.GetBytes(original.Topic));
        headers.Add(OriginPartitionHeader, CloudEventHeaders.Encode(original.Partition.Value));
        headers.Add(OriginOffsetHeader, CloudEventHeaders.Encode(original.Offset.Value));
        headers.Add(OriginTimestampHeader, CloudEventHeaders.Encode(original.Message.Timestamp.UnixTimestampMs));
        headers.Add(TimeHeader, CloudEventHeaders.Encode(now));
        headers.Add(EntryHeader, Encoding.UTF8.GetBytes(queued ? QueuedEntry : ParkedEntry));
        return new Message<byte[], byte[]> { Key = original.Message.Key, Value = original.Message.Value, Headers = headers };
    }

    /// <summary>The entry that a letter could not be processed again, and why.</summary>
    public static Message<byte[], byte[]> Refused(byte[]? key, long letter, string cause, string message, DateTimeOffset now) =>
        Entry(key, letter, now, RefusedEntry, (CauseHeader, cause), (MessageHeader, Shortened(message)));

    /// <summary>The entry that a letter was processed.</summary>
    public static Message<byte[], byte[]> Retried(byte[]? key, long letter, string outcome, string by, DateTimeOffset now) =>
        Entry(key, letter, now, RetriedEntry, (OutcomeHeader, outcome), (ByHeader, by));

    /// <summary>
    /// The entry that a letter was discarded. Of a record of the events topic, which is none of its events: the events of its aggregate
    /// behind it are folded up to <paramref name="foldedTo"/> (-1: it has none).
    /// </summary>
    public static Message<byte[], byte[]> Discarded(
        byte[]? key, long letter, string by, string reason, DateTimeOffset now, long? foldedTo = null) => foldedTo is { } offset
        ? Entry(key, letter, now, DiscardedEntry, (ByHeader, by), (ReasonHeader, reason),
            (FoldedToHeader, offset.ToString(CultureInfo.InvariantCulture)))
        : Entry(key, letter, now, DiscardedEntry, (ByHeader, by), (ReasonHeader, reason));

    /// <summary>The original record of a letter.</summary>
    /// <exception cref="InvalidDataException">The record is not a letter.</exception>
    public static ConsumeResult<byte[], byte[]> OriginalOf(ConsumeResult<byte[], byte[]> letter)
    {
        ArgumentNullException.ThrowIfNull(letter);
        Headers all = letter.Message.Headers;
        if (KindOf(all) is not (ParkedEntry or QueuedEntry) || all.Count < DeadLetterHeaders)
            throw Wrong(letter, "it is not a letter");
        var headers = new Headers();
        for (int i = 0; i < all.Count - DeadLetterHeaders; i++)
            headers.Add(all[i].Key, all[i].GetValueBytes());
        return new ConsumeResult<byte[], byte[]>
        {
            TopicPartitionOffset = new TopicPartitionOffset(Text(letter, OriginTopicHeader), (int)Number(letter, OriginPartitionHeader),
                Number(letter, OriginOffsetHeader)),
            Message = new Message<byte[], byte[]>
            {
                Key = letter.Message.Key,
                Value = letter.Message.Value,
                Headers = headers,
                Timestamp = new Timestamp(Number(letter, OriginTimestampHeader), TimestampType.CreateTime),
            },
        };
    }

    /// <summary>The aggregate that a key names; <c>default</c> when it names none.</summary>
    public static AggregateId AggregateOf(byte[]? key) => RecordIds.AggregateOf(key);

    /// <summary>Folds the next record into <paramref name="letters"/>, by offset.</summary>
    /// <exception cref="InvalidDataException">It is not a record that this library wrote.</exception>
    internal static void Fold(SortedDictionary<long, DeadLetter> letters, ConsumeResult<byte[], byte[]> record, bool keepResolved)
    {
        string kind = KindOf(record.Message.Headers) ?? throw Wrong(record, $"its last header is not {EntryHeader}");
        if (kind is ParkedEntry or QueuedEntry)
        {
            letters.Add(record.Offset.Value, DeadLetterOf(record, kind == QueuedEntry));
            return;
        }

        long offset = Number(record, DeadLetterHeader);
        if (!letters.TryGetValue(offset, out DeadLetter? letter))
            return; // retention has taken it
        DeadLetter after = kind switch
        {
            RefusedEntry => letter with { Cause = Text(record, CauseHeader), Message = Text(record, MessageHeader), IsQueued = false },
            RetriedEntry =>
                letter with { Resolution = new DeadLetterResolution(false, Text(record, OutcomeHeader), Text(record, ByHeader), null,
                    Time(record), null) },
            DiscardedEntry =>
                letter with { Resolution = new DeadLetterResolution(true, null, Text(record, ByHeader), Text(record, ReasonHeader),
                    Time(record), FoldedTo(record)) },
            _ => throw Wrong(record, $"its header {EntryHeader} is '{kind}'"),
        };
        if (after.Resolution is null || keepResolved)
            letters[offset] = after;
        else
            letters.Remove(offset);
    }

    private static DeadLetter DeadLetterOf(ConsumeResult<byte[], byte[]> record, bool queued) => new()
    {
        Topic = record.Topic,
        Partition = record.Partition.Value,
        Offset = record.Offset.Value,
        AggregateId = AggregateOf(record.Message.Key),
        CommandId = Text(record, OriginTopicHeader).EndsWith(TopicFamily.CommandsSuffix, StringComparison.Ordinal)
            ? RecordIds.CommandOf(CloudEventHeaders.Find(record.Message.Headers, CloudEventHeaders.Id))
            : default,
        IsQueued = queued,
        Cause = Text(record, CauseHeader),
        Message = Text(record, MessageHeader),
        OriginTopic = Text(record, OriginTopicHeader),
        OriginOffset = Number(record, OriginOffsetHeader),
        ParkedAt = Time(record),
    };

    private static Message<byte[], byte[]> Entry(byte[]? key, long letter, DateTimeOffset now, string kind,
        params ReadOnlySpan<(string Name, string Value)> more)
    {
        var headers = new Headers { { DeadLetterHeader, CloudEventHeaders.Encode(letter) } };
        foreach ((string name, string value) in more)
            headers.Add(name, Encoding.UTF8.GetBytes(value));
        headers.Add(TimeHeader, CloudEventHeaders.Encode(now));
        headers.Add(EntryHeader, Encoding.UTF8.GetBytes(kind));
        return new Message<byte[], byte[]> { Key = key!, Headers = headers };
    }

    private static string? KindOf(Headers headers) =>
        headers.Count > 0 && headers[^1] is { Key: EntryHeader } last && last.GetValueBytes() is { } kind
            ? Encoding.UTF8.GetString(kind)
            : null;

    private static string Text(ConsumeResult<byte[], byte[]> record, string name) =>
        CloudEventHeaders.Find(record.Message.Headers, name) is { } value
            ? Encoding.UTF8.GetString(value)
            : throw Wrong(record, $"its header {name} is missing");

    private static long Number(ConsumeResult<byte[], byte[]> record, string name) =>
        CloudEventHeaders.Find(record.Message.Headers, name) is { } value && CloudEventHeaders.TryDecodeNumber(value, out long number)
            ? number
            : throw Wrong(record, $"its header {name} is not a number");

    private static long? FoldedTo(ConsumeResult<byte[], byte[]> record) =>
        CloudEventHeaders.Find(record.Message.Headers, FoldedToHeader) is not { } value ? null
        : long.TryParse(Encoding.UTF8.GetString(value), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long offset)
        ? offset
        : throw Wrong(record, $"its header {FoldedToHeader} is not a number");

    private static DateTimeOffset Time(ConsumeResult<byte[], byte[]> record) =>
        CloudEventHeaders.Find(record.Message.Headers, TimeHeader) is { } value
            && CloudEventHeaders.TryDecodeTime(value, out DateTimeOffset time)
            ? time
            : throw Wrong(record, $"its header {TimeHeader} is not a time");

    private static InvalidDataException Wrong(ConsumeResult<byte[], byte[]> record, string what) =>
        new($"The record {record.Topic} {record.Partition.Value}@{record.Offset.Value} is not of the dead-letters topic: {what}. Somebody "
            + $"else has written there.");

    private static string Shortened(string message) => message.Length <= MaxMessageLength ? message : $"{message[..MaxMessageLength]}…";
}
