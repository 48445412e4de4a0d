using System.Threading.Channels;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Records of one partition on their way to its handler: bounded by bytes, decoded away from the consumer's thread. At a record that cannot
/// be read, or that the handler does not take, the partition stands still: it is tried again after longer and longer waits, and nothing is
/// skipped but what an operator has discarded.
/// </summary>
internal sealed partial class PartitionPump : IDisposable
{
    private static readonly TimeSpan FirstRetryDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRetryDelay = TimeSpan.FromMinutes(1);

    private readonly SubscriptionContext _context;
    private readonly IConsumer<byte[], byte[]> _consumer;
    private readonly TopicPartition _partition;
    private readonly EventCodec _codec;
    private readonly Func<EventBatch, CancellationToken, Task> _handle;
    private readonly Action<int> _restart;
    private readonly ColdRecords? _cold;
    private readonly Channel<ConsumeResult<byte[], byte[]>> _records = Channel.CreateUnbounded<ConsumeResult<byte[], byte[]>>(
        new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    private readonly CancellationTokenSource _closing;
    private readonly Lock _pauseLock = new();
    private long _waitingBytes;
    private long _from; // of the next batch
    private long _oldest; // in milliseconds since 1970, of what waits or is being handed over; 0: nothing
    private bool _paused;
    private volatile bool _isAbandoned;
    private long _closedAt;
    // of the task that hands over
    private IReadOnlyDictionary<long, DeadLetterResolution> _discarded = new Dictionary<long, DeadLetterResolution>();

    /// <param name="context">What pumps share.</param>
    /// <param name="consumer">Whose records come, and who is paused when they are too many.</param>
    /// <param name="partition">The partition.</param>
    /// <param name="start">Where it begins.</param>
    /// <param name="partitions">How many the topic has.</param>
    /// <param name="handle">Takes the batches.</param>
    /// <param name="restart">Has the partition read anew.</param>
    /// <param name="fault">Told what ends the subscription.</param>
    /// <param name="cold">Where the records are that come first, as they have left the topic; behind them the partition is read anew. Null:
    /// all come by <see cref="Add"/>.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public PartitionPump(
        SubscriptionContext context, IConsumer<byte[], byte[]> consumer, TopicPartition partition, long start, int partitions,
        Func<EventBatch, CancellationToken, Task> handle, Action<int> restart,
        Action<Exception> fault, ColdRecords? cold, CancellationToken cancellationToken)
    {
        (_context, _consumer, _partition, _handle, _restart, _cold, _codec) = (context, consumer, partition, handle, restart, cold,
            new EventCodec(context.Serde, context.Definition, partitions));
        _from = start;
        _closing = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        // A handler whose position is kept gives its partition up when it is asked to; the read models' are fenced by their checkpoints,
        // and need not.
        CancellationToken handling = context.Keeper is not null ? _closing.Token : cancellationToken;
        Completion = Task.Run(() => HandOver(fault, handling), CancellationToken.None);
        SubscriptionTelemetry.Watch(context.Options.GroupId, partition.Partition.Value, this);
    }

    /// <summary>The age of the oldest event that the handler has not taken yet.</summary>
    public TimeSpan Delay => Interlocked.Read(ref _oldest) is > 0 and var oldest
        && _context.Time.GetUtcNow() - DateTimeOffset.FromUnixTimeMilliseconds(oldest) is { Ticks: > 0 } age ? age : TimeSpan.Zero;

    /// <summary>Ends when the pump is closed and its handler has returned; never faults, the fault is told.</summary>
    public Task Completion { get; }

    public void Add(ConsumeResult<byte[], byte[]> record)
    {
        if (!record.IsPartitionEOF)
            Interlocked.CompareExchange(ref _oldest, record.Message.Timestamp.UnixTimestampMs, 0);
        long waiting = Interlocked.Add(ref _waitingBytes, SizeOf(record));
        _records.Writer.TryWrite(record);
        if (waiting <= _context.MaxWaitingBytes)
            return;
        lock (_pauseLock)
        {
            if (_paused || Interlocked.Read(ref _waitingBytes) <= _context.MaxWaitingBytes)
                return;
            _consumer.Pause([_partition]);
            _paused = true;
        }
    }

    public void Close()
    {
        if (_closing.IsCancellationRequested && _closedAt != 0)
            return;
        _closedAt = _context.Time.GetTimestamp();
        SubscriptionTelemetry.Unwatch(_context.Options.GroupId, _partition.Partition.Value, this);
        _closing.Cancel();
        _records.Writer.TryComplete();
    }

    /// <summary>
    /// Waits until the handler has returned, at most for <paramref name="patience"/> after the pump was closed; blocks. False: it has not.
    /// </summary>
    public bool HasEnded(TimeSpan patience) => patience - _context.Time.GetElapsedTime(_closedAt) is { Ticks: > 0 } left
        ? Completion.Wait(left)
        : Completion.IsCompleted;

    /// <summary>
    /// Nobody waits for the handler any more: the partition has another owner, and what this one does still counts for nothing.
    /// </summary>
    public void Abandon() => _isAbandoned = true;

    /// <summary>Frees what is left once <see cref="Completion"/> has ended.</summary>
    public void Dispose() => _closing.Dispose();

    private static long SizeOf(ConsumeResult<byte[], byte[]> record) =>
        record.IsPartitionEOF ? 0 : 512 + (record.Message.Value?.Length ?? 0);

    private static TimeSpan DelayOf(int attempt) =>
        TimeSpan.FromTicks(Math.Min(LongestRetryDelay.Ticks, FirstRetryDelay.Ticks << Math.Min(attempt, 10)));

    private async Task HandOver(Action<Exception> fault, CancellationToken cancellationToken)
    {
        try
        {
            for (int attempt = 0; !await TryLoadDiscarded().ConfigureAwait(false); attempt++)
                await Task.Delay(DelayOf(attempt), _context.Time, _closing.Token).ConfigureAwait(false);
            if (_cold is not null)
            {
                for (int attempt = 0; !await TryHandOverCold(_cold, cancellationToken).ConfigureAwait(false); attempt++)
                    await Task.Delay(DelayOf(attempt), _context.Time, _closing.Token).ConfigureAwait(false);
                _restart(_partition.Partition.Value);
                return;
            }

            while (await _records.Reader.WaitToReadAsync(_closing.Token).ConfigureAwait(false))
            {
                var events = new List<RecordedEvent>();
                long next = 0;
                long bytes = 0;
                while (events.Count < _context.Options.MaxBatchEvents
                    && bytes < _context.Options.MaxBatchBytes
                    && _records.Reader.TryRead(out ConsumeResult<byte[], byte[]>? record))
                {
                    if (record.IsPartitionEOF)
                    {
                        next = record.Offset.Value;
                        continue;
                    }

                    if (bytes == 0)
                        Interlocked.Exchange(ref _oldest, record.Message.Timestamp.UnixTimestampMs);
                    bytes += SizeOf(record);
                    if (!TryDecode(record, out StoredEvent stored))
                    {
                        // What is before it need not wait for it.
                        await Deliver(events, record.Offset.Value, cancellationToken).ConfigureAwait(false);
                        events = [];
                        stored = await DecodeAgain(record).ConfigureAwait(false);
                    }

                    stored.AddTo(events);
                    next = record.Offset.Value + 1;
                }

                await Deliver(events, next, cancellationToken).ConfigureAwait(false);
                if (Interlocked.Add(ref _waitingBytes, -bytes) == 0)
                    Interlocked.Exchange(ref _oldest, 0);
                Resume();
            }
        }
        catch (OperationCanceledException) when (_closing.IsCancellationRequested)
        {
            // Closed in the middle of a wait.
        }
        catch (Exception failure)
        {
            fault(failure);
        }
        finally
        {
            _context.Stops.Clear(_partition.Partition.Value);
        }
    }

    // What has left the topic, from where the pump is on. Reading blocks; this task is the pump's own.
    private async Task<bool> TryHandOverCold(ColdRecords cold, CancellationToken cancellationToken)
    {
        var events = new List<RecordedEvent>();
        long next = _from;
        long bytes = 0;
        Exception? unread = null;
        try
        {
            foreach (ConsumeResult<byte[], byte[]> record in cold.Read(_partition, next, _closing.Token))
            {
                bytes += SizeOf(record);
                if (!TryDecode(record, out StoredEvent stored))
                {
                    await Deliver(events, record.Offset.Value, cancellationToken).ConfigureAwait(false);
                    events = [];
                    stored = await DecodeAgain(record).ConfigureAwait(false);
                }

                stored.AddTo(events);
                next = record.Offset.Value + 1;
                if (events.Count < _context.Options.MaxBatchEvents && bytes < _context.Options.MaxBatchBytes)
                    continue;
                await Deliver(events, next, cancellationToken).ConfigureAwait(false);
                (events, bytes) = ([], 0);
            }

            next = Math.Max(next, cold.EndOf(_partition, _closing.Token));
        }
        catch (Exception failure) when (failure is ArchiveDamagedException or KafkaException)
        {
            unread = failure;
        }

        await Deliver(events, next, cancellationToken).ConfigureAwait(false);
        if (unread is null)
            return true;
        Stand(unread.Message, unread);
        return false;
    }

    // No event: it was discarded, or is read as none.
    private bool TryDecode(ConsumeResult<byte[], byte[]> record, out StoredEvent stored)
    {
        stored = default;
        if (IsDiscarded(record))
            return true;
        try
        {
            stored = _codec.Decode(record);
            return true;
        }
        catch (Exception wrong) when (wrong is InvalidDataException or HttpRequestException)
        {
            return false;
        }
    }

    private async Task<StoredEvent> DecodeAgain(ConsumeResult<byte[], byte[]> record)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                StoredEvent stored = _codec.Decode(record);
                _context.Stops.Clear(_partition.Partition.Value);
                return stored;
            }
            catch (HttpRequestException away)
            {
                LogRegistryAway(_context.Logger, away, _partition.Partition.Value, record.Offset.Value);
            }
            catch (InvalidDataException unreadable)
            {
                if (await TryLoadDiscarded().ConfigureAwait(false) && IsDiscarded(record))
                {
                    _context.Stops.Clear(_partition.Partition.Value);
                    return default;
                }

                Stand(unreadable.Message, unreadable);
            }

            await Task.Delay(DelayOf(attempt), _context.Time, _closing.Token).ConfigureAwait(false);
        }
    }

    private bool IsDiscarded(ConsumeResult<byte[], byte[]> record) => _discarded.Count > 0 && _discarded.ContainsKey(record.Offset.Value);

    private async Task<bool> TryLoadDiscarded()
    {
        try
        {
            _discarded = await Task.Run(() => _context.Discarded.Of(_partition.Partition.Value, _closing.Token)).ConfigureAwait(false);
            return true;
        }
        catch (KafkaException away)
        {
            LogLettersAway(_context.Logger, away, _partition.Partition.Value);
            return false;
        }
    }

    // A handler that refuses a batch gets it by halves: so all events before the one that it does not take are handed over, and the
    // partition stands still right there.
    private async Task Deliver(IReadOnlyList<RecordedEvent> events, long next, CancellationToken cancellationToken)
    {
        int half = Middle(events);
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                await _handle(new EventBatch(_partition.Partition.Value, _from, events, next), cancellationToken).ConfigureAwait(false);
                _from = next;
                if (!_isAbandoned)
                    _context.Keeper?.Handled(_partition.Partition.Value, next);
                _context.Stops.Clear(_partition.Partition.Value);
                return;
            }
            catch (EventsNeededAgainException earlier)
            {
                LogReadAgain(_context.Logger, _context.Options.GroupId, _partition.Partition.Value, earlier.Message);
                await _closing.CancelAsync().ConfigureAwait(false); // what waits here is behind what is needed
                _restart(_partition.Partition.Value);
                throw new OperationCanceledException(_closing.Token);
            }
            catch (Exception refused) when (!cancellationToken.IsCancellationRequested)
            {
                if (half == 0)
                    Stand(events.Count == 0
                        ? refused.Message
                        : $"The event {_partition.Topic} {_partition.Partition.Value}@{events[0].Offset} of {events[0].AggregateId} is "
                            + $"not taken: {refused.Message}", refused);
            }

            if (half > 0)
            {
                await Deliver([.. events.Take(half)], events[half].Offset, cancellationToken).ConfigureAwait(false);
                await Deliver([.. events.Skip(half)], next, cancellationToken).ConfigureAwait(false);
                return;
            }

            await Task.Delay(DelayOf(attempt), _context.Time, _closing.Token).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Where events can be cut in two halves, of about one size: never between those that one event of the log is upcast to, which are
    /// taken together. 0: nowhere.
    /// </summary>
    internal static int Middle(IReadOnlyList<RecordedEvent> events)
    {
        int middle = events.Count / 2;
        while (middle > 0 && middle < events.Count && events[middle].Part > 0)
            middle++;
        if (middle < events.Count)
            return middle;
        for (middle = events.Count / 2; middle > 0 && events[middle].Part > 0;)
            middle--;
        return middle;
    }

    private void Stand(string message, Exception failure)
    {
        _context.Stops.Set(_partition.Partition.Value, message);
        LogStands(_context.Logger, failure, _context.Options.GroupId, _partition.Partition.Value);
    }

    private void Resume()
    {
        lock (_pauseLock)
        {
            if (!_paused || _closing.IsCancellationRequested || Interlocked.Read(ref _waitingBytes) > _context.MaxWaitingBytes / 2)
                return;
            _consumer.Resume([_partition]);
            _paused = false;
        }
    }

    [LoggerMessage(Level = LogLevel.Error,
        Message = "{Group}: partition {Partition} stands still at an event that it cannot pass; it tries again")]
    private static partial void LogStands(ILogger logger, Exception failure, string group, int partition);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Group}: partition {Partition} is read again: {Reason}")]
    private static partial void LogReadAgain(ILogger logger, string group, int partition, string reason);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Partition {Partition} waits for the Schema Registry, which it needs to read the event at {Offset}")]
    private static partial void LogRegistryAway(ILogger logger, Exception away, int partition, long offset);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Which records of partition {Partition} were discarded cannot be read now")]
    private static partial void LogLettersAway(ILogger logger, Exception away, int partition);
}

/// <summary>What the pumps of one subscription share.</summary>
internal sealed record SubscriptionContext(AvroMessageSerde Serde, AggregateDefinition? Definition, EventSubscriptionOptions Options,
    DiscardedEvents Discarded, StalledPartitions Stops, TimeProvider Time, ILogger Logger, IPositionKeeper? Keeper)
{
    private const long MinShare = 256 * 1024;

    /// <summary>How many partitions are read.</summary>
    public int Partitions { get; set; } = 1;

    /// <summary>The most bytes of one partition that wait.</summary>
    public long MaxWaitingBytes => Math.Max(MinShare, Options.MaxWaitingBytes / Math.Max(1, Partitions));
}
