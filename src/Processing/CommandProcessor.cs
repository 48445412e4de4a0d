using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Decides the commands of one aggregate type: a partition task for each partition that the consumer group gives this node. Reads are
/// thread-safe; start and dispose it once.
/// </summary>
public sealed class CommandProcessor : IAggregateReader, IAsyncDisposable
{
    private const int LooksPerTimeout = 50;
    private static readonly TimeSpan ShortestLook = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestLook = TimeSpan.FromSeconds(1);

    [ThreadStatic]
    private static PooledBuffer? s_buffer;

    private readonly AggregateDefinition _definition;
    private readonly TopicFamily _topics;
    private readonly KafkaConnection _connection;
    private readonly AvroMessageSerde _serde;
    private readonly CommandProcessorOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly NodeIdentity _node;
    private readonly IReadOnlyList<AggregateDefinition> _application;
    private readonly FrozenSet<Type> _commandTypes;
    private readonly GroupMembership _membership;
    private TopicEncoder? _commandEncoder;
    private ITimer? _lateCallers;

    /// <summary>
    /// A processor of <paramref name="definition"/>, one of <paramref name="application"/>'s aggregates: those that processes send commands
    /// to. Null: it is the only one.
    /// </summary>
    /// <exception cref="InvalidInputException">An option is out of range.</exception>
    public CommandProcessor(
        AggregateDefinition definition, TopicFamily topics, KafkaConnection connection, AvroMessageSerde serde,
        CommandProcessorOptions options, TimeProvider timeProvider, ILoggerFactory loggerFactory,
        IReadOnlyList<AggregateDefinition>? application = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(loggerFactory);
        options.Validate();
        (_definition, _topics, _connection, _serde, _options, _time) = (definition, topics, connection, serde, options, timeProvider);
        _application = application ?? [definition];
        _commandTypes = definition.CommandTypes.ToFrozenSet();
        _logger = loggerFactory.CreateLogger<CommandProcessor>();
        Histories = new HistoryCodec(serde, topics, definition);
        _node = new NodeIdentity(options.NodeId ?? $"node-{Guid.CreateVersion7(timeProvider.GetUtcNow()):N}");
        _membership = new GroupMembership(definition, topics, connection, serde, options, _node, timeProvider, _logger);
    }

    /// <summary>
    /// Completes when this node has got its partitions for the first time and serves all of them, but for those that are halted.
    /// </summary>
    public Task Ready => _membership.Ready;

    /// <summary>Ends when the processor was disposed, or faults with what stopped it.</summary>
    public Task Completion => _membership.Completion;

    /// <summary>
    /// Whether this node has its partitions and serves all of them; not where its command topic has got more than it had when the node
    /// started.
    /// </summary>
    public bool IsReady => _membership.IsAssigned
        && _membership.Unread.Count == 0
        && _membership.Tasks.All(t => t.Status == PartitionStatus.Serving);

    /// <summary>
    /// The partitions that the command topic has got since this node started: keys have moved, and they are read by nobody. What is in them
    /// stays.
    /// </summary>
    public IReadOnlyList<int> UnreadPartitions => _membership.Unread;

    /// <summary>The id of this node.</summary>
    public string NodeId => _node.Id;

    /// <summary>What each partition of this node is doing.</summary>
    public IReadOnlyDictionary<int, PartitionStatus> Partitions => _membership.Tasks.ToDictionary(t => t.Partition, t => t.Status);

    /// <summary>How many partitions the aggregate type has; 0 before the node has joined its group.</summary>
    public int PartitionCount => _membership.Partitions;

    /// <summary>
    /// For how long the partition that waits longest for Kafka, or for a decision, has been busy with one batch; zero when none is.
    /// </summary>
    public TimeSpan LongestBatch => _membership.Tasks.Select(t => t.BusyFor).DefaultIfEmpty().Max();

    /// <summary>How many aggregates of this node's partitions are parked, and how many have events.</summary>
    public (long Parked, long All) AggregateCounts =>
        _membership.Tasks.Select(t => t.Counts).Aggregate((Parked: 0L, All: 0L),
            (sum, one) => (sum.Parked + one.Parked, sum.All + one.All));

    /// <summary>
    /// The partitions of this node where a topic is not the one that was left, and what is wrong with it. They keep their owner and decide
    /// nothing; a restart looks again.
    /// </summary>
    public IReadOnlyDictionary<int, string> HaltedPartitions =>
        _membership.Tasks.Where(t => t.Status == PartitionStatus.Halted).ToDictionary(t => t.Partition, t => t.HaltReason ?? "");

    /// <summary>Registers schemas, joins the group and returns; <see cref="Ready"/> tells when it serves.</summary>
    /// <exception cref="KafkaException">The topics cannot be found.</exception>
    /// <exception cref="LogRefusedException">The log has events of types that the code does not have, and
    /// <see cref="CommandProcessorOptions.IgnoreUnknownEvents"/> is not set.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        var encoders = new ProcessorEncoders(
            await _serde.PrepareAsync(_topics.Events, _definition.EventTypes, cancellationToken).ConfigureAwait(false),
            await _serde.PrepareAsync(_topics.Replies, [typeof(CommandReply)], cancellationToken).ConfigureAwait(false),
            await _serde.PrepareAsync(_topics.Snapshots, [typeof(AggregateSnapshot), typeof(SnapshotBarrier), typeof(PartitionPosition)],
                cancellationToken).ConfigureAwait(false),
            await _serde.PrepareAsync(_topics.Owners, [typeof(PartitionOwner)], cancellationToken).ConfigureAwait(false),
            _definition.Reacts
                ? await _serde.PrepareAsync(_topics.Timers, [typeof(Avro.Messages.TimerElapsed)], cancellationToken).ConfigureAwait(false)
                : null,
            await ProcessRoutes.Prepare(_definition, _topics.Application, _application, _serde, cancellationToken).ConfigureAwait(false));
        await new UnknownEventTypes(_serde, _topics, _connection, _definition, _logger).Check(_options.IgnoreUnknownEvents,
            cancellationToken).ConfigureAwait(false);
        _commandEncoder = await _serde.PrepareAsync(_topics.Commands, _definition.CommandTypes.Select(ProcessMessageCodec.RecordTypeOf),
            cancellationToken).ConfigureAwait(false);
        if (_options.AnswerTimeout is { } limit)
        {
            TimeSpan interval = TimeSpan.FromTicks(Math.Clamp(limit.Ticks / LooksPerTimeout, ShortestLook.Ticks, LongestLook.Ticks));
            _lateCallers = _time.CreateTimer(_ => EndLateCallers(limit), null, interval, interval);
        }

        _membership.Start(encoders);
    }

    /// <summary>
    /// The direct door: hands a command to the partition task that owns its aggregate, without the way through the command topic. False
    /// when that task is not on this node or does not serve; the command topic is open then. The task of the outcome faults with
    /// <see cref="AggregateUnavailableException"/> when the partition leaves this node first: the outcome is not known then, and the same
    /// id sent again, at any door, tells it.
    /// </summary>
    /// <exception cref="InvalidInputException">The command cannot be decided as it is.</exception>
    /// <exception cref="OverloadedException">Too many commands wait for the partition.</exception>
    public bool TrySend(CommandEnvelope command, [NotNullWhen(true)] out Task<CommandResult>? outcome) =>
        TrySend(command, elsewhere: null, CancellationToken.None, out outcome);

    /// <summary>
    /// The direct door for a caller who has another way: when the partition leaves this node first, the outcome is that of
    /// <paramref name="elsewhere"/>, and when <paramref name="cancellationToken"/> is cancelled, nobody waits any more; the command may
    /// take effect all the same. After <see cref="CommandProcessorOptions.AnswerTimeout"/> it faults with a <see cref="TimeoutException"/>.
    /// </summary>
    /// <exception cref="InvalidInputException">The command cannot be decided as it is.</exception>
    /// <exception cref="OverloadedException">Too many commands wait for the partition.</exception>
    public bool TrySend(CommandEnvelope command, Func<CommandEnvelope, Task<CommandResult>>? elsewhere, CancellationToken cancellationToken,
        [NotNullWhen(true)] out Task<CommandResult>? outcome)
    {
        ArgumentNullException.ThrowIfNull(command);
        outcome = null;
        if (!_membership.TryFind(PartitionOf(command.AggregateId), out PartitionTask? task) || task.Status != PartitionStatus.Serving)
            return false;
        int bytes = Check(command);
        CommandDigest digest = CommandDigest.From(_serde.TypeOf(command.Payload.GetType()),
            s_buffer!.WrittenSpan[WireFormat.HeaderLength..], command.ExpectedVersion);
        IncomingCommand incoming = IncomingCommand.From(command, _time.GetUtcNow(), digest, elsewhere);
        s_buffer.Clear();
        incoming.Caller!.CancelBy(cancellationToken);
        if (!task.TryAdd(incoming, bytes))
        {
            incoming.Caller.Completed();
            return false;
        }

        outcome = incoming.Caller.Task;
        return true;
    }

    /// <summary>
    /// Tells the others where this node can be reached: the base of its HTTP interface. The owners topic has it a moment later.
    /// </summary>
    public void Advertise(Uri address)
    {
        ArgumentNullException.ThrowIfNull(address);
        _node.Address = address.AbsoluteUri;
        foreach (PartitionTask task in _membership.Tasks)
            task.Announce();
    }

    /// <summary>Completes once no partition of this node remembers a state that was opened before the call.</summary>
    internal Task ForgetErasedAsync() => Task.WhenAll(_membership.Tasks.Select(t => t.Reads.ForgetErasedAsync()));

    /// <inheritdoc/>
    public ValueTask<AggregateView?> ReadAsync(AggregateId aggregateId, CancellationToken cancellationToken = default) =>
        ReadAsync(aggregateId, ReadConsistency.Strong, cancellationToken);

    /// <summary>Reads one aggregate of a partition of this node; null when it has no events.</summary>
    /// <exception cref="AggregateUnavailableException">This node does not own the aggregate's partition (any more), or is still restoring
    /// it.</exception>
    public ValueTask<AggregateView?> ReadAsync(AggregateId aggregateId, ReadConsistency consistency,
        CancellationToken cancellationToken = default)
    {
        if (_membership.Partitions == 0)
            throw NotJoined();
        int partition = PartitionOf(aggregateId);
        return !_membership.TryFind(partition, out PartitionTask? task)
            && consistency == ReadConsistency.Eventual
            && _membership.FindCopy(partition) is { } copy
            ? ValueTask.FromResult(copy.Read(aggregateId))
            : task is not null
            ? task.Reads.Read(aggregateId, consistency, cancellationToken)
            : throw NotHere(partition);
    }

    /// <summary>
    /// Reads one aggregate with at least the write of <paramref name="atLeast"/>, from a partition of this node or from a warm copy; null
    /// when it has no events. It costs no transaction and does not wait.
    /// </summary>
    /// <exception cref="AggregateUnavailableException">Nothing of this node has come as far as the token.</exception>
    /// <exception cref="InvalidInputException">The token is of another partition than the aggregate.</exception>
    public AggregateView? Read(AggregateId aggregateId, ConsistencyToken atLeast)
    {
        int partition = PartitionOf(aggregateId);
        if (partition >= 0 && atLeast.Partition != partition)
            throw new InvalidInputException("token",
                $"The token {atLeast} is of partition {atLeast.Partition}, and '{aggregateId}' is in partition {partition}: it is not of "
                    + $"a write to this {_definition.Name}.");
        if (_membership.TryFind(partition, out PartitionTask? task) && task.NextOffset > atLeast.Offset)
            return task.Reads.Read(aggregateId);
        if (_membership.FindCopy(partition) is { } copy && copy.NextOffset > atLeast.Offset)
            return copy.Read(aggregateId);
        throw task is null
            ? NotHere(partition)
            : new AggregateUnavailableException(partition, $"Partition {partition} has not reached {atLeast} on this node; try again.");
    }

    ValueTask<AggregateView?> IAggregateReader.ReadAsync(AggregateId aggregateId, ConsistencyToken atLeast,
        CancellationToken cancellationToken) => ValueTask.FromResult(Read(aggregateId, atLeast));

    /// <summary>A page of the events of one aggregate of a partition of this node; null when it has none.</summary>
    /// <exception cref="AggregateUnavailableException">This node does not own the aggregate's partition (any more), or is still restoring
    /// it.</exception>
    /// <exception cref="HistoryGoneException">The log does not have the events any more.</exception>
    /// <exception cref="InvalidDataException">An event cannot be read.</exception>
    /// <exception cref="InvalidInputException">The query is out of range.</exception>
    public async ValueTask<HistoryPage?> ReadHistoryAsync(AggregateId aggregateId, HistoryQuery query,
        CancellationToken cancellationToken = default) =>
        await ReadStoredHistoryAsync(aggregateId, query, cancellationToken).ConfigureAwait(false) is { } stored
            ? Histories.Read(aggregateId, PartitionOf(aggregateId), stored)
            : null;

    /// <summary>What pages of histories are for the code of today.</summary>
    internal HistoryCodec Histories { get; }

    /// <summary>The same as it is in the log.</summary>
    internal ValueTask<StoredHistory?> ReadStoredHistoryAsync(AggregateId aggregateId, HistoryQuery query,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        int partition = PartitionOf(aggregateId);
        return partition < 0 ? throw NotJoined()
            : _membership.TryFind(partition, out PartitionTask? task)
            ? task.Reads.ReadHistory(aggregateId, query, cancellationToken)
            : throw NotHere(partition);
    }

    /// <summary>All aggregates of this node's partitions that have events.</summary>
    /// <exception cref="AggregateUnavailableException">A partition does not serve.</exception>
    public async IAsyncEnumerable<AggregateView> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        foreach (PartitionTask task in _membership.Tasks.OrderBy(t => t.Partition))
        {
            foreach (AggregateView view in await task.Reads.ReadAll(cancellationToken).ConfigureAwait(false))
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return view;
            }
        }
    }

    /// <summary>Finishes the batches in flight, gives the partitions back and closes the stores.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_lateCallers is not null)
            await _lateCallers.DisposeAsync().ConfigureAwait(false);
        await _membership.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>The partition of an aggregate; -1 before the node has joined its group.</summary>
    public int PartitionOf(AggregateId aggregateId)
    {
        if (_membership.Partitions == 0)
            return -1;
        Span<byte> key = stackalloc byte[AggregateId.MaxBytes];
        return Murmur2.Partition(key[..Encoding.UTF8.GetBytes(aggregateId.Value, key)], _membership.Partitions);
    }

    /// <summary>The command's payload as the command topic would carry it.</summary>
    /// <exception cref="InvalidInputException">The command cannot be decided as it is.</exception>
    public byte[] Encode(CommandEnvelope command)
    {
        ArgumentNullException.ThrowIfNull(command);
        Check(command);
        byte[] encoded = s_buffer!.WrittenSpan.ToArray();
        s_buffer.Clear();
        return encoded;
    }

    /// <summary>Whether a read of <paramref name="partition"/> can be answered on this node.</summary>
    public bool CanRead(int partition, ReadConsistency consistency) =>
        StatusOf(partition) == PartitionStatus.Serving
            || (consistency == ReadConsistency.Eventual && _membership.FindCopy(partition) is { IsWarm: true });

    /// <summary>Whether this node, as owner or with a warm copy, has come as far as <paramref name="atLeast"/>.</summary>
    public bool CanRead(ConsistencyToken atLeast) =>
        (_membership.TryFind(atLeast.Partition, out PartitionTask? task) && task.NextOffset > atLeast.Offset)
            || (_membership.FindCopy(atLeast.Partition) is { } copy && copy.NextOffset > atLeast.Offset);

    /// <summary>The partitions of which this node keeps a copy that is complete.</summary>
    public IReadOnlyList<int> Standbys =>
        [.. Enumerable.Range(0, _membership.Partitions).Where(p => _membership.FindCopy(p) is { IsWarm: true })];

    /// <summary>What a partition is doing on this node; null: it is not here.</summary>
    public PartitionStatus? StatusOf(int partition) => _membership.TryFind(partition, out PartitionTask? task) ? task.Status : null;

    /// <summary>The id of the events topic that a partition of this node was restored from; null: it does not serve here.</summary>
    internal TopicId? EventsTopicOf(int partition) =>
        _membership.TryFind(partition, out PartitionTask? task) && task.Status == PartitionStatus.Serving ? task.Topics?.Events : null;

    /// <summary>Has a partition of this node write a snapshot barrier soon, if events have come since the newest.</summary>
    internal void RequestBarrier(int partition)
    {
        if (_membership.TryFind(partition, out PartitionTask? task))
            task.WriteBarrier();
    }

    private void EndLateCallers(TimeSpan limit)
    {
        foreach (PartitionTask task in _membership.Tasks.Concat(_membership.Ending))
            task.Intake.EndLateCallers(limit);
    }

    private static AggregateUnavailableException NotJoined() => new(-1, "This node has not joined its group yet; try again.");

    private static AggregateUnavailableException NotHere(int partition) => new(partition, $"Partition {partition} is not on this node.");

    // What the command topic would refuse is refused here too; returns the encoded size.
    private int Check(CommandEnvelope command)
    {
        Type type = command.Payload.GetType();
        if (!_commandTypes.Contains(type) || ProcessMessages.Is(type))
            throw new InvalidInputException("command", $"The aggregate '{_definition.Name}' does not decide {type.Name}.");
        if (command.ExpectedVersion.IsDefault)
            throw new InvalidInputException("expectedVersion", "The expected version is default: say any, new, exists, or a number.");
        PooledBuffer buffer = s_buffer ??= new PooledBuffer();
        buffer.Clear();
        try
        {
            _commandEncoder!.Encode((IAvroRecord)command.Payload, command.AggregateId.Value, buffer);
        }
        catch (SubjectErasedException erased)
        {
            throw new InvalidInputException("command", erased.Message, erased);
        }
        catch (AvroEncodeException unencodable)
        {
            throw new InvalidInputException("command", $"The command cannot be encoded: {unencodable.Message}", unencodable);
        }

        return buffer.WrittenCount <= _options.MaxCommandBytes
            ? buffer.WrittenCount
            : throw new InvalidInputException("command",
                $"The command has {buffer.WrittenCount} bytes; at most {_options.MaxCommandBytes} are allowed.");
    }
}
