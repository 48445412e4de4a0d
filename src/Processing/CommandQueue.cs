using Confluent.Kafka;

namespace KafkaEventSourcing.Processing;

/// <summary>Commands that wait for one partition task. The consumer's thread adds, the task's thread takes.</summary>
internal sealed class CommandQueue
{
    private const int RecordOverhead = 512;

    private readonly Queue<ConsumeResult<byte[], byte[]>> _records = [];
    private readonly object _lock = new();
    private long _bytes;
    private bool _closed;

    /// <summary>Adds a record and returns how many bytes wait now.</summary>
    public long Add(ConsumeResult<byte[], byte[]> record)
    {
        lock (_lock)
        {
            _records.Enqueue(record);
            _bytes += SizeOf(record);
            Monitor.Pulse(_lock);
            return _bytes;
        }
    }

    /// <summary>Nothing more is taken; what waits is dropped and will be read again by the next owner.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            Monitor.PulseAll(_lock);
        }
    }

    /// <summary>Waits for records and moves at most <paramref name="max"/> to <paramref name="batch"/>; false when the queue is closed. Tells the bytes that wait still.</summary>
    public bool Take(List<ConsumeResult<byte[], byte[]>> batch, int max, out long left)
    {
        lock (_lock)
        {
            while (_records.Count == 0 && !_closed)
                Monitor.Wait(_lock);
            while (!_closed && batch.Count < max && _records.TryDequeue(out ConsumeResult<byte[], byte[]>? record))
            {
                _bytes -= SizeOf(record);
                batch.Add(record);
            }

            left = _bytes;
            return !_closed;
        }
    }

    private static long SizeOf(ConsumeResult<byte[], byte[]> record) => RecordOverhead + (record.Message.Value?.Length ?? 0);
}
