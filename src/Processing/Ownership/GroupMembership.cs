using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// A node as a member of the consumer group of one aggregate type: it joins, starts and ends the tasks of the partitions that it is given,
/// and joins again when Kafka has fenced it. What it has may be asked by any thread.
/// </summary>
internal sealed partial class GroupMembership : IAsyncDisposable
{
    private const int MaxHeartbeatMs = 300;
    private const int MaxShortMemberships = 2;
    private static readonly TimeSpan MetadataTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);

    private readonly AggregateDefinition _definition;
    private readonly TopicFamily _topics;
    private readonly KafkaConnection _connection;
    private readonly AvroMessageSerde _serde;
    private readonly CommandProcessorOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly NodeIdentity _node;
    private readonly ConcurrentDictionary<int, PartitionTask> _tasks = [];
    private readonly ConcurrentDictionary<int, PartitionTask> _ending = []; // they may have their store open still
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _partitions;
    private volatile bool _assigned;
    private StandbyAssigner? _standbys;
    private long? _memberSince; // of the consuming thread
    private volatile int[] _unread = [];
    private Exception? _fault;
    private Exception? _taskFault;

    public GroupMembership(
        AggregateDefinition definition, TopicFamily topics, KafkaConnection connection, AvroMessageSerde serde,
        CommandProcessorOptions options, NodeIdentity node, TimeProvider time, ILogger logger) =>
        (_definition, _topics, _connection, _serde, _options, _node, _time, _logger) = (definition, topics, connection, serde, options,
            node, time, logger);

    /// <summary>
    /// Completes when the node has got its partitions for the first time and serves all of them, but for those that are halted.
    /// </summary>
    public Task Ready => _ready.Task;

    /// <summary>Ends when the membership was disposed, or faults with what stopped it.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <summary>Whether the node has its partitions; it may be none.</summary>
    public bool IsAssigned => _assigned;

    /// <summary>How many partitions the aggregate type has; 0 before the node has joined.</summary>
    public int Partitions => _partitions;

    /// <summary>The partitions that the command topic has got since the node started: nobody reads them.</summary>
    public IReadOnlyList<int> Unread => _unread;

    /// <summary>The tasks of the partitions that the node has.</summary>
    public ICollection<PartitionTask> Tasks => _tasks.Values;

    /// <summary>The tasks that end.</summary>
    public ICollection<PartitionTask> Ending => _ending.Values;

    /// <summary>The task of a partition that the node has.</summary>
    public bool TryFind(int partition, [NotNullWhen(true)] out PartitionTask? task) => _tasks.TryGetValue(partition, out task);

    /// <summary>The copy that the node keeps of a partition that another has; null: it keeps none.</summary>
    public StandbyTask? FindCopy(int partition) => _standbys?.Find(partition);

    /// <summary>Joins; it returns at once.</summary>
    public void Start(ProcessorEncoders encoders)
    {
        Completion = Task.Factory.StartNew(() => Consume(encoders), CancellationToken.None, TaskCreationOptions.LongRunning,
            TaskScheduler.Default).Unwrap();
        _ = Completion.ContinueWith(
            ended => _ready.TrySetException(ended.Exception?.InnerExceptions
                ?? (IEnumerable<Exception>)[new ObjectDisposedException(nameof(CommandProcessor))]), TaskScheduler.Default);
    }

    /// <summary>Finishes the batches in flight, and gives the partitions back.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // told by Completion
        _stop.Dispose();
    }

    private async Task Consume(ProcessorEncoders encoders)
    {
        int shortMemberships = 0;
        while (!_stop.IsCancellationRequested)
        {
            _memberSince = null;
            if (await BeMember(encoders).ConfigureAwait(false) is not { } fenced)
                continue;
            // Kafka may have forgotten this member, as a coordinator does that ends in a rebalance. A twin takes the place back with its
            // next heartbeat, again and again.
            bool wasShort = _memberSince is not { } since || _time.GetElapsedTime(since) < _options.SessionTimeout;
            shortMemberships = wasShort ? shortMemberships + 1 : 0;
            if (shortMemberships > MaxShortMemberships)
            {
                Stop(new DuplicateNodeException(_node.Id, fenced));
                break;
            }

            LogFenced(_node.Id);
        }

        if (_fault is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(_fault);
    }

    // Until the processor is stopped, or Kafka gives the place of this node's id to another member: then it returns the error.
    private async Task<KafkaException?> BeMember(ProcessorEncoders encoders)
    {
        ConsumerConfig config = _connection.Consumer(_topics.Group);
        config.PartitionAssignmentStrategy = PartitionAssignmentStrategy.CooperativeSticky;
        config.GroupInstanceId = _options.NodeId;
        config.ClientId = _node.Id; // by it the members of the group are known to one another
        config.AutoOffsetReset = AutoOffsetReset.Error; // where a partition begins is said by its task
        config.SessionTimeoutMs ??= (int)_options.SessionTimeout.TotalMilliseconds;
        config.HeartbeatIntervalMs ??= Math.Min(MaxHeartbeatMs, config.SessionTimeoutMs.Value / 6); // a rebalance is learned by heartbeat
        PartitionContext context = null!;
        KafkaException? fenced = null;
        void End(KafkaException fatal)
        {
            if (fatal.Error.Code == ErrorCode.FencedInstanceId)
                Volatile.Write(ref fenced, fatal);
            else
                Stop(fatal);
        }

        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(config)
            .SetLogHandler((_, line) => KafkaConnection.Log(_logger, line))
            .SetErrorHandler((_, error) =>
            {
                if (error.IsFatal)
                    End(new KafkaException(error));
            })
            .SetPartitionsAssignedHandler((_, partitions) => Own(context, partitions))
            .SetPartitionsRevokedHandler((_, partitions) => Release(partitions))
            .SetPartitionsLostHandler((_, partitions) => Release(partitions))
            .Build();
        (int partitions, int replyPartitions) = PartitionCounts(consumer);
        if (_partitions > 0 && partitions != _partitions)
            throw new InvalidInputException("topics",
                $"The topic {_topics.Commands} had {_partitions} partitions when this node started, and has {partitions} now: keys have "
                    + $"moved. Make the topics again with {_partitions} partitions, and copy what is in them.");
        _partitions = partitions;
        context = new PartitionContext(_definition, _topics, _connection, _serde, encoders, _node, _partitions, replyPartitions, consumer,
            _options, _time, _logger);
        var standbys = new StandbyAssigner(context, config.GroupId, _partitions, p => _tasks.ContainsKey(p) || _ending.ContainsKey(p));
        _standbys = standbys;
        context.YieldStandby = standbys.Yield;
        context.Sharing = () => _tasks.Count + standbys.Count;
        var places = new ConcurrentQueue<(PartitionTask Task, long Offset)>();
        context.Reposition = (task, offset) => places.Enqueue((task, offset));
        _ = standbys.Completion.ContinueWith(ended => Stop(ended.Exception!.GetBaseException()), CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        var watch = new TopicWatch(context, () => [.. _tasks.Values], another => Interlocked.Exchange(ref _taskFault, another));
        _ = watch.Completion.ContinueWith(ended => Stop(ended.Exception!.GetBaseException()), CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        consumer.Subscribe(_topics.Commands);
        try
        {
            while (!_stop.IsCancellationRequested && Volatile.Read(ref fenced) is null)
            {
                try
                {
                    if (consumer.Consume(PollInterval) is { } record && _tasks.TryGetValue(record.Partition.Value, out PartitionTask? task))
                        task.Intake.Add(record);
                    while (places.TryDequeue(out (PartitionTask Task, long Offset) place))
                        Place(consumer, place.Task, place.Offset, keepsWaiting: false);
                    if (Interlocked.Exchange(ref _taskFault, null) is { } failure)
                        Recover(failure, consumer);
                }
                catch (KafkaException fatal) when (fatal.Error.IsFatal || fatal.Error.Code == ErrorCode.FencedInstanceId)
                {
                    End(fatal); // which of the two reports it, a call or the error handler, is librdkafka's choice
                }
                catch (ConsumeException outside) when (outside.Error.Code is ErrorCode.Local_AutoOffsetReset
                    or ErrorCode.Local_LogTruncation or ErrorCode.OffsetOutOfRange)
                {
                    PlaceAgain(consumer, outside);
                }
                catch (ConsumeException passing) when (KafkaConnection.IsPassing(passing.Error))
                {
                    // it was there when this node joined: a broker that has started does not know it yet, it was deleted, or this member
                    // was away for too long
                    LogReadAgain(passing.Error.Reason);
                }
            }
        }
        finally
        {
            _assigned = false;
            await ReleaseAll().ConfigureAwait(false);
            await watch.DisposeAsync().ConfigureAwait(false);
            await standbys.DisposeAsync().ConfigureAwait(false);
            if (Volatile.Read(ref fenced) is null)
                consumer.Close(); // a fenced one has no place to give back
        }

        return Volatile.Read(ref fenced);
    }

    // Not by a seek: librdkafka refuses it where it has stopped to fetch, as it has at an offset that is not there.
    private void Place(IConsumer<byte[], byte[]> consumer, PartitionTask task, long offset, bool keepsWaiting)
    {
        if (!_tasks.TryGetValue(task.Partition, out PartitionTask? current) || current != task)
            return; // it has left this node
        var commands = new TopicPartition(_topics.Commands, task.Partition);
        consumer.IncrementalUnassign([commands]);
        consumer.IncrementalAssign([new TopicPartitionOffset(commands, offset)]);
        task.Intake.Restart(offset, keepsWaiting);
    }

    private void PlaceAgain(IConsumer<byte[], byte[]> consumer, ConsumeException outside)
    {
        if (!_tasks.TryGetValue(outside.ConsumerRecord.Partition.Value, out PartitionTask? task))
            return;
        try
        {
            if (task.FindPlace(_stop.Token) is { } offset)
                Place(consumer, task, offset, keepsWaiting: true);
        }
        catch (KafkaException lost)
        {
            Interlocked.Exchange(ref _taskFault, lost);
        }
    }

    // A writer that Kafka has fenced, or whose commit stayed unknown, gives its partitions up and asks for them again: the restore gives
    // the answer.
    private void Recover(Exception failure, IConsumer<byte[], byte[]> consumer)
    {
        if (failure is not KafkaException)
        {
            Stop(failure);
            return;
        }

        LogRejoining(failure);
        _assigned = false; // without partitions it serves nothing, which must not look as if it served all of them
        consumer.Unsubscribe(); // fatal, where the member has lost its place too
        ReleaseAll().GetAwaiter().GetResult(); // this thread is the processor's own
        consumer.Subscribe(_topics.Commands);
    }

    private void Own(PartitionContext context, List<TopicPartition> partitions)
    {
        if (_stop.IsCancellationRequested)
            return; // a last rebalance, answered by Close: what it gives is given back at once
        TopicPartition[] unknown = [.. partitions.Where(p => p.Partition.Value >= _partitions)];
        if (unknown.Length > 0)
        {
            // What lies there is read by nobody and stays: keys have moved, and a task would decide without what came before.
            _unread = [.. _unread.Concat(unknown.Select(p => p.Partition.Value)).Distinct().Order()];
            LogGrown(_topics.Commands, _partitions, string.Join(", ", unknown.Select(p => p.Partition.Value).Order()));
        }

        PartitionTask[] added = [.. partitions.Except(unknown).Select(p =>
            _tasks[p.Partition.Value] = new PartitionTask(context, p.Partition.Value))];
        foreach (PartitionTask task in added)
            _ = task.Completion.ContinueWith(ended => Interlocked.Exchange(ref _taskFault, ended.Exception!.GetBaseException()),
                CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        // Committed offsets are read only after the owners before are fenced; otherwise they could still move them.
        Task.WhenAll(added.Select(t => t.Fenced)).ContinueWith(_ => { }, TaskScheduler.Default).GetAwaiter().GetResult();
        _assigned = true;
        _memberSince ??= _time.GetTimestamp();
        _ = Task.WhenAll(_tasks.Values.Select(t => t.Settled)).ContinueWith(_ => _ready.TrySetResult(), CancellationToken.None,
            TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
    }

    private void Release(IEnumerable<TopicPartitionOffset> partitions)
    {
        End(partitions.Select(p => p.Partition.Value)).GetAwaiter().GetResult(); // runs inside Consume, on the processor's own thread
    }

    private Task ReleaseAll() => End(_tasks.Keys);

    private async Task End(IEnumerable<int> partitions)
    {
        var ending = new List<KeyValuePair<int, PartitionTask>>();
        foreach (int partition in partitions)
        {
            if (!_tasks.TryGetValue(partition, out PartitionTask? task))
                continue;
            _ending[partition] = task; // first: in between it must not look as if nobody had the store
            _tasks.TryRemove(partition, out _);
            task.Stop();
            ending.Add(new(partition, task));
        }

        foreach ((int partition, PartitionTask task) in ending)
        {
            await task.Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            task.Dispose();
            _ending.TryRemove(partition, out _);
        }
    }

    private void Stop(Exception fault)
    {
        Interlocked.CompareExchange(ref _fault, fault, null);
        _stop.Cancel();
    }

    private (int Commands, int Replies) PartitionCounts(IConsumer<byte[], byte[]> consumer)
    {
        using IAdminClient admin = new DependentAdminClientBuilder(consumer.Handle).Build();
        int Count(string topic) => TopicPartitions.Of(admin, topic, MetadataTimeout).Count;

        int commands = Count(_topics.Commands);
        foreach (string sameCount in (string[])[_topics.Events, _topics.Snapshots, _topics.Owners, _topics.DeadLetters,
            .. _definition.Reacts ? [_topics.Timers] : Array.Empty<string>()])
        {
            if (Count(sameCount) is var count && count != commands)
                throw new InvalidInputException("topics",
                    $"The topic {_topics.Commands} has {commands} partitions and {sameCount} has {count}: a key lies on one partition "
                        + $"number in both, so they must have the same count.");
        }

        return (commands, Count(_topics.Replies));
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Kafka has given the place of the node {NodeId} to another member, or has forgotten this one; it joins its group again")]
    private partial void LogFenced(string nodeId);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The command topic cannot be read now; it is tried again: {Reason}")]
    private partial void LogReadAgain(string reason);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "{Topic} has got more partitions than the {Known} that it had when this node started: keys have moved, and nobody reads "
            + "{Unknown}")]
    private partial void LogGrown(string topic, int known, string unknown);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A partition task has lost its partition; this node joins its group again")]
    private partial void LogRejoining(Exception failure);
}
