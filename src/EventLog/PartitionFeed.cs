using System.Threading.Channels;
using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>Records of one partition on their way to its handler: bounded by bytes, decoded away from the consumer's thread.</summary>
internal sealed class PartitionFeed
{
    private readonly IConsumer<byte[], byte[]> _consumer;
    private readonly TopicPartition _partition;
    private readonly EventCodec _codec;
    private readonly EventSubscriptionOptions _options;
    private readonly Channel<ConsumeResult<byte[], byte[]>> _records = Channel.CreateUnbounded<ConsumeResult<byte[], byte[]>>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    private readonly Lock _pauseLock = new();
    private long _waitingBytes;
    private bool _paused;
    private volatile bool _closed;

    public PartitionFeed(
        IConsumer<byte[], byte[]> consumer, TopicPartition partition, EventCodec codec, EventSubscriptionOptions options,
        Func<EventBatch, CancellationToken, Task> handle, Action<Exception> fault, CancellationToken cancellationToken)
    {
        (_consumer, _partition, _codec, _options) = (consumer, partition, codec, options);
        Completion = Task.Run(() => HandOver(handle, fault, cancellationToken), CancellationToken.None);
    }

    /// <summary>Ends when the feed is closed and its handler has returned; never faults, the fault is told.</summary>
    public Task Completion { get; }

    public void Add(ConsumeResult<byte[], byte[]> record)
    {
        long waiting = Interlocked.Add(ref _waitingBytes, SizeOf(record));
        _records.Writer.TryWrite(record);
        if (waiting <= _options.MaxWaitingBytes)
            return;
        lock (_pauseLock)
        {
            if (_paused || Interlocked.Read(ref _waitingBytes) <= _options.MaxWaitingBytes)
                return;
            _consumer.Pause([_partition]);
            _paused = true;
        }
    }

    public void Close()
    {
        _closed = true;
        _records.Writer.TryComplete();
    }

    private static long SizeOf(ConsumeResult<byte[], byte[]> record) => record.IsPartitionEOF ? 0 : 512 + (record.Message.Value?.Length ?? 0);

    private async Task HandOver(Func<EventBatch, CancellationToken, Task> handle, Action<Exception> fault, CancellationToken cancellationToken)
    {
        try
        {
            while (await _records.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false) && !_closed)
            {
                var events = new List<RecordedEvent>();
                long next = 0;
                long bytes = 0;
                while (events.Count < _options.MaxBatchEvents && _records.Reader.TryRead(out ConsumeResult<byte[], byte[]>? record))
                {
                    next = record.Offset.Value;
                    if (record.IsPartitionEOF)
                        continue;
                    bytes += SizeOf(record);
                    events.Add(_codec.Decode(record));
                    next++;
                }

                await handle(new EventBatch(_partition.Partition.Value, events, next), cancellationToken).ConfigureAwait(false);
                Interlocked.Add(ref _waitingBytes, -bytes);
                Resume();
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Closed in the middle of a wait.
        }
        catch (Exception failure)
        {
            fault(failure);
        }
    }

    private void Resume()
    {
        lock (_pauseLock)
        {
            if (!_paused || _closed || Interlocked.Read(ref _waitingBytes) > _options.MaxWaitingBytes / 2)
                return;
            _consumer.Resume([_partition]);
            _paused = false;
        }
    }
}
