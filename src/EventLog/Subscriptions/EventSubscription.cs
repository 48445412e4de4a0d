using System.Collections.Concurrent;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Reads the committed events of the partitions that a consumer group gives this node, and hands them over in order, partition by
/// partition; those of several partitions at the same time. At an event that cannot be read, or that the handler does not take, its
/// partition stands still and tries again: nothing is skipped, and the others go on.
/// </summary>
public sealed partial class EventSubscription
{
    private const int MaxHeartbeatMs = 1_000;
    private static readonly TimeSpan MetadataTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private readonly KafkaConnection _connection;
    private readonly TopicFamily _topics;
    private readonly HashSet<int> _halted = []; // of the subscription's own thread
    private SubscriptionContext _context;
    private readonly ConcurrentQueue<int> _restarts = [];
    private readonly Lock _wakeLock = new();
    private CancellationTokenSource? _wake; // ends the consumer's wait; null while the subscription does not run

    /// <summary>A subscription to the events of <paramref name="topics"/>.</summary>
    /// <param name="connection">The cluster.</param>
    /// <param name="topics">The topics of the aggregate type.</param>
    /// <param name="serde">Decodes the events.</param>
    /// <param name="options">How to read.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="loggerFactory">Where it logs.</param>
    /// <param name="definition">The aggregate type, which says what old events are read as; null: they are read as they are in the
    /// log.</param>
    /// <exception cref="InvalidInputException">An option is out of range.</exception>
    public EventSubscription(KafkaConnection connection, TopicFamily topics, AvroMessageSerde serde, EventSubscriptionOptions options,
        TimeProvider timeProvider, ILoggerFactory loggerFactory, AggregateDefinition? definition = null)
    {
        ArgumentNullException.ThrowIfNull(loggerFactory);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        (_connection, _topics) = (connection, topics);
        Stops = new StalledPartitions(options.GroupId);
        _context = new SubscriptionContext(serde, definition, options, new DiscardedEvents(connection, topics), Stops, timeProvider,
            loggerFactory.CreateLogger<EventSubscription>(), null);
    }

    /// <summary>The partitions that stand still.</summary>
    public StalledPartitions Stops { get; }

    /// <summary>Reads until <paramref name="cancellationToken"/> is cancelled, then returns.</summary>
    /// <param name="startOf">Where to begin a partition; null: at its first event.</param>
    /// <param name="handle">Takes the next batch of a partition; the one after it comes when the task is done. When it throws, it gets the
    /// same events again, by halves; after an <see cref="EventsNeededAgainException"/> the partition is read anew from where
    /// <paramref name="startOf"/> says.</param>
    /// <param name="cancellationToken">Ends the subscription.</param>
    /// <exception cref="KafkaException">The cluster refuses this client for good.</exception>
    public Task RunAsync(Func<int, CancellationToken, ValueTask<long?>> startOf, Func<EventBatch, CancellationToken, Task> handle,
        CancellationToken cancellationToken = default) =>
        Task.Factory.StartNew(() => Consume(startOf, handle, cancellationToken), CancellationToken.None, TaskCreationOptions.LongRunning,
            TaskScheduler.Default).Unwrap();

    /// <summary>
    /// Reads until <paramref name="cancellationToken"/> is cancelled, then returns; a partition is given up only when its handler has
    /// returned, or has not within <see cref="EventSubscriptionOptions.StopTimeout"/>.
    /// </summary>
    /// <param name="positions">Where to begin, and who is told what is handled. A partition that it refuses to begin stands still.</param>
    /// <param name="handle">Takes the next batch of a partition, as above.</param>
    /// <param name="cancellationToken">Ends the subscription.</param>
    /// <exception cref="KafkaException">The cluster refuses this client for good.</exception>
    internal Task RunAsync(IPositionKeeper positions, Func<EventBatch, CancellationToken, Task> handle, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(positions);
        _context = _context with { Keeper = positions };
        return RunAsync((_, _) => default, handle, cancellationToken);
    }

    /// <summary>
    /// Reads <paramref name="partition"/> anew, from where <c>startOf</c> says, if this subscription has it. It returns at once.
    /// </summary>
    public void Restart(int partition)
    {
        _restarts.Enqueue(partition);
        lock (_wakeLock)
            _wake?.Cancel();
    }

    private async Task Consume(Func<int, CancellationToken, ValueTask<long?>> startOf, Func<EventBatch, CancellationToken, Task> handle,
        CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var pumps = new Dictionary<int, PartitionPump>();
        var starts = new Dictionary<int, long>();
        var cold = new HashSet<int>(); // partitions whose next event has left the topic
        ColdRecords? archived = _connection.Cold is { } tier ? new ColdRecords(tier) : null;
        Exception? fault = null;
        void Stop(Exception failure)
        {
            Interlocked.CompareExchange(ref fault, failure, null);
            stop.Cancel();
        }

        ConsumerConfig config = _connection.Consumer(_context.Options.GroupId);
        config.EnablePartitionEof = true; // its offset tells how far markers go
        config.AutoOffsetReset = AutoOffsetReset.Error; // events that are gone are never passed over silently
        config.PartitionAssignmentStrategy = PartitionAssignmentStrategy.CooperativeSticky;
        config.SessionTimeoutMs ??= (int)_context.Options.SessionTimeout.TotalMilliseconds;
        config.HeartbeatIntervalMs ??= Math.Min(MaxHeartbeatMs, config.SessionTimeoutMs.Value / 6); // a rebalance is learned by heartbeat
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(config)
            .SetLogHandler((_, line) => KafkaConnection.Log(_context.Logger, line))
            .SetErrorHandler((_, error) =>
            {
                if (error.IsFatal)
                    Stop(new KafkaException(error));
            })
            .SetPartitionsAssignedHandler((member, partitions) =>
                partitions.ConvertAll(p => new TopicPartitionOffset(p, Start(member, p.Partition.Value))))
            .SetPartitionsRevokedHandler((_, partitions) => DropAll(partitions))
            .SetPartitionsLostHandler((_, partitions) => DropAll(partitions))
            .Build();

        // Runs inside Consume or Close, on this subscription's own thread, which may block. It must not throw: the group would wait for the
        // assignment that this answers, and Close with it.
        Offset Start(IConsumer<byte[], byte[]> member, int partition)
        {
            try
            {
                long? start = _context.Keeper is { } keeper
                    ? keeper.Begin(partition, member, stop.Token)
                    : startOf(partition, stop.Token).AsTask().GetAwaiter().GetResult();
                starts[partition] = start ?? 0;
                cold.Remove(partition);
                if (archived is not null && FirstCold(member, partition, start) is { } first)
                {
                    starts[partition] = first;
                    cold.Add(partition);
                    return Offset.End; // what comes there begins the pump that reads the archive
                }

                return start is { } offset ? new Offset(offset) : Offset.Beginning;
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return Offset.End; // nothing more is handed over
            }
            catch (PartitionHaltedException halted)
            {
                Halt(partition, halted.Message);
                return Offset.End;
            }
            catch (Exception failure)
            {
                Stop(failure);
                return Offset.End;
            }
        }

        // Where to begin in the archive; null: what is next is in the topic.
        long? FirstCold(IConsumer<byte[], byte[]> member, int partition, long? start)
        {
            var place = new TopicPartition(_topics.Events, partition);
            long hot = PartitionOffsets.Query(member, place, MetadataTimeout, stop.Token).Low.Value;
            if (start >= hot)
                return null;
            try
            {
                return archived!.StartOf(place, hot, stop.Token) is { } first && (start ?? first) >= first ? start ?? first : null;
            }
            catch (Exception unread) when (unread is ArchiveDamagedException or KafkaException)
            {
                return start ?? 0; // the pump stands still there, says why, and looks again
            }
        }

        void Halt(int partition, string reason)
        {
            _halted.Add(partition);
            Stops.Set(partition, reason);
            LogHalted(_context.Logger, _context.Options.GroupId, partition, reason);
        }

        void Drop(int partition)
        {
            if (_halted.Remove(partition))
                Stops.Clear(partition);
            if (pumps.Remove(partition, out PartitionPump? pump))
            {
                _context.Partitions = pumps.Count;
                pump.Close();
            }

            if (_context.Keeper is { } keeper)
            {
                Leave(partition, pump); // the next one must not begin before this one has ended
                keeper.End(partition, _context.Options.StopTimeout);
            }

            _ = pump?.Completion.ContinueWith(_ => pump.Dispose(), TaskScheduler.Default);
        }

        void DropAll(List<TopicPartitionOffset> partitions)
        {
            foreach (TopicPartitionOffset partition in partitions)
                pumps.GetValueOrDefault(partition.Partition.Value)?.Close(); // all at once, so that the slowest decides
            partitions.ForEach(p => Drop(p.Partition.Value));
        }

        void StartAnew(int partition)
        {
            if (!consumer.Assignment.Exists(p => p.Partition.Value == partition))
                return;
            Drop(partition);
            var from = new TopicPartitionOffset(_topics.Events, partition, Start(consumer, partition));
            if (stop.IsCancellationRequested || _halted.Contains(partition))
                return;
            consumer.Seek(from);
            consumer.Resume([from.TopicPartition]); // the pump that is gone may have paused it
        }

        consumer.Subscribe(_topics.Events);
        CancellationTokenSource wake = Rearm(stop.Token);
        try
        {
            while (true)
            {
                ConsumeResult<byte[], byte[]> record;
                try
                {
                    record = consumer.Consume(wake.Token);
                }
                catch (OperationCanceledException) when (wake.IsCancellationRequested && !stop.IsCancellationRequested)
                {
                    using CancellationTokenSource used = wake;
                    wake = Rearm(stop.Token);
                    while (_restarts.TryDequeue(out int again))
                        StartAnew(again);
                    continue;
                }
                catch (ConsumeException gone) when (gone.Error.Code == ErrorCode.Local_AutoOffsetReset)
                {
                    int cut = gone.ConsumerRecord.Partition.Value;
                    if (_context.Keeper is not null)
                    {
                        Drop(cut);
                        Halt(cut,
                            $"{_topics.Events}, partition {cut}, does not have the offset that the group {_context.Options.GroupId} is at "
                                + $"any more: events were deleted, or the topic was made anew. " +
                            "A restart looks again, and says how to go on.");
                        consumer.Pause([gone.ConsumerRecord.TopicPartition]);
                        continue;
                    }

                    LogOutOfRange(_context.Logger, _topics.Events, gone.ConsumerRecord.Partition.Value, gone.Error.Reason);
                    Restart(gone.ConsumerRecord.Partition.Value); // who says where to begin knows what to do
                    continue;
                }
                catch (ConsumeException passing) when (KafkaPatience.IsPassing(passing.Error))
                {
                    // a broker that has started does not know the topic yet, it was deleted, or this member was away for too long
                    LogReadAgain(_context.Logger, _topics.Events, passing.Error.Reason);
                    continue;
                }

                if (stop.IsCancellationRequested)
                    continue; // also as it could not be learned where to begin, which the fault says: the next wait ends it
                int partition = record.Partition.Value;
                if (_halted.Contains(partition))
                {
                    consumer.Pause([record.TopicPartition]);
                    continue;
                }

                if (!pumps.TryGetValue(partition, out PartitionPump? pump))
                {
                    pumps.Add(partition, pump = new PartitionPump(_context, consumer, record.TopicPartition, starts[partition],
                        Partitions(consumer, stop.Token), handle, Restart, Stop, cold.Contains(partition) ? archived : null, stop.Token));
                    _context.Partitions = pumps.Count;
                }

                if (cold.Contains(partition))
                    consumer.Pause([record.TopicPartition]); // it is read again when the pump is done
                else
                    pump.Add(record);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The end, or a fault that is thrown below.
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            foreach (PartitionPump pump in pumps.Values)
                pump.Close();
            if (_context.Keeper is null)
            {
                foreach (PartitionPump pump in pumps.Values)
                {
                    await pump.Completion.ConfigureAwait(false);
                    pump.Dispose();
                }

                pumps.Clear(); // Close revokes what they read
            }

            consumer.Close();
            foreach (int partition in pumps.Keys.Concat(_halted).ToArray())
                Drop(partition); // revoked by nobody: the group was lost before
            lock (_wakeLock)
                _wake = null;
            wake.Dispose();
        }

        if (fault is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(fault);
    }

    private void Leave(int partition, PartitionPump? pump)
    {
        if (pump is null || pump.HasEnded(_context.Options.StopTimeout))
            return;
        pump.Abandon();
        LogAbandoned(_context.Logger, _context.Options.GroupId, partition, _context.Options.StopTimeout);
    }

    // On the subscription's own thread. Records come from a topic that is there: whoever does not tell its partitions now does so later.
    private int Partitions(IConsumer<byte[], byte[]> consumer, CancellationToken cancellationToken)
    {
        using IAdminClient admin = new DependentAdminClientBuilder(consumer.Handle).Build();
        while (true)
        {
            try
            {
                return TopicPartitions.Of(admin, _topics.Events, MetadataTimeout).Count;
            }
            catch (KafkaException away)
            {
                LogReadAgain(_context.Logger, _topics.Events, away.Error.Reason);
                if (cancellationToken.WaitHandle.WaitOne(RetryDelay))
                    throw new OperationCanceledException(cancellationToken);
            }
        }
    }

    private CancellationTokenSource Rearm(CancellationToken stop)
    {
        var wake = CancellationTokenSource.CreateLinkedTokenSource(stop);
        lock (_wakeLock)
        {
            _wake = wake;
            if (!_restarts.IsEmpty)
                wake.Cancel();
        }

        return wake;
    }

    [LoggerMessage(Level = LogLevel.Error,
        Message = "{Topic}, partition {Partition}, does not have the place that is to be read: it was cut, or made anew: {Reason}")]
    private static partial void LogOutOfRange(ILogger logger, string topic, int partition, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Group}: partition {Partition} is halted: {Reason}")]
    private static partial void LogHalted(ILogger logger, string group, int partition, string reason);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "{Group}: the handler of partition {Partition} goes on {Patience} after its cancellation. The partition is given up "
            + "without it: its next owner may handle the same events at the same time")]
    private static partial void LogAbandoned(ILogger logger, string group, int partition, TimeSpan patience);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The topic {Topic} cannot be read now; it is tried again: {Reason}")]
    private static partial void LogReadAgain(ILogger logger, string topic, string reason);
}
