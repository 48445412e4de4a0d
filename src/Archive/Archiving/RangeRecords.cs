using Confluent.Kafka;

namespace KafkaEventSourcing.Archive;

/// <summary>The records of a range that is being archived, in memory.</summary>
internal sealed class RangeRecords
{
    private const int Overhead = 256; // of one record in memory: its objects and their headers

    private readonly List<ConsumeResult<byte[], byte[]>> _records = [];

    /// <summary>The records, in order.</summary>
    public IReadOnlyList<ConsumeResult<byte[], byte[]>> Records => _records;

    /// <summary>The bytes of keys, values and headers.</summary>
    public long RecordBytes { get; private set; }

    /// <summary>About what they take in memory.</summary>
    public long Bytes => RecordBytes + (Overhead * (long)_records.Count);

    /// <summary>The earliest time of them, in milliseconds since 1970.</summary>
    public long FirstTimestamp { get; private set; } = long.MaxValue;

    /// <summary>The latest time of them.</summary>
    public long LastTimestamp { get; private set; } = long.MinValue;

    /// <summary>The offset behind the last of them; 0: there is none.</summary>
    public long End => _records is [.., var last] ? last.Offset.Value + 1 : 0;

    /// <summary>Adds the next record.</summary>
    public void Add(ConsumeResult<byte[], byte[]> record)
    {
        _records.Add(record);
        RecordBytes += SizeOf(record.Message);
        FirstTimestamp = Math.Min(FirstTimestamp, record.Message.Timestamp.UnixTimestampMs);
        LastTimestamp = Math.Max(LastTimestamp, record.Message.Timestamp.UnixTimestampMs);
    }

    /// <summary>Where <paramref name="read"/> is not what was added; null: it is, to the last bit.</summary>
    public string? DifferenceFrom(IEnumerable<ConsumeResult<byte[], byte[]>> read)
    {
        int at = 0;
        foreach (ConsumeResult<byte[], byte[]> record in read)
        {
            if (at == _records.Count)
                return $"it has a record at {record.Offset.Value}, behind the last one";
            if (DifferenceOf(_records[at], record) is { } what)
                return $"{what} of the record at {_records[at].Offset.Value} is another one";
            at++;
        }

        return at == _records.Count ? null : $"it does not have the record at {_records[at].Offset.Value}";
    }

    private static string? DifferenceOf(ConsumeResult<byte[], byte[]> one, ConsumeResult<byte[], byte[]> other) =>
        one.Offset != other.Offset ? "the offset"
        : one.Message.Timestamp != other.Message.Timestamp ? "the time"
        : !AreSame(one.Message.Key, other.Message.Key) ? "the key"
        : !AreSame(one.Message.Value, other.Message.Value) ? "the value"
        : one.Message.Headers.Count != other.Message.Headers.Count ? "the number of headers"
        : !one.Message.Headers.Zip(other.Message.Headers)
            .All(h => h.First.Key == h.Second.Key && AreSame(h.First.GetValueBytes(), h.Second.GetValueBytes())) ? "a header"
        : null;

    private static bool AreSame(byte[]? one, byte[]? other) =>
        one is null ? other is null : other is not null && one.AsSpan().SequenceEqual(other);

    private static long SizeOf(Message<byte[], byte[]> message)
    {
        long size = (message.Key?.Length ?? 0) + (message.Value?.Length ?? 0);
        for (int i = 0; i < message.Headers.Count; i++)
            size += message.Headers[i].Key.Length + (message.Headers[i].GetValueBytes()?.Length ?? 0);
        return size;
    }
}
