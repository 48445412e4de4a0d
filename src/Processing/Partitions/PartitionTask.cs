using System.Diagnostics;
using Confluent.Kafka;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// The single writer of one partition, on a thread of its own. In this order: it fences the owner before it (<c>InitTransactions</c>),
/// restores, serves. Each batch is one Kafka transaction of events, replies and the input offset (<see cref="BatchCommitter"/>); the store
/// follows only after the commit.
/// </summary>
internal sealed class PartitionTask : IDisposable
{
    private const int ChangesPerSnapshot = 4;

    private readonly PartitionContext _context;
    private readonly int _partition;
    private readonly CommandQueue _queue = new();
    private readonly BatchLinger _linger = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _fenced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<QueuedCommand> _batch = [];
    private readonly ILogger _logger;
    private readonly SchemaRegistryRetry _registry;
    private readonly CommandTracing _tracing;
    private readonly Func<ConsumeResult<byte[], byte[]>, IncomingCommand> _read;
    private readonly ParkedAggregates _parked;
    private readonly CommandPlace _place;
    private PartitionTransactions? _transactions;
    private StateStore? _store;
    private StoreReads? _reads;
    private ProcessTimers? _timers;
    private DeadLetterResolver _resolver = null!;
    private BatchDecider _decider = null!;
    private BatchCommitter _committer = null!;
    private WaitingCommands _waiting = null!;
    private volatile bool _announce;
    private volatile bool _isBarrierWanted;
    private long _busySince; // 0: it waits for commands

    public PartitionTask(PartitionContext context, int partition)
    {
        (_context, _partition) = (context, partition);
        _logger = context.Logger;
        _registry = new SchemaRegistryRetry(_logger, partition);
        _tracing = new CommandTracing(context.Topics, partition);
        _parked = new ParkedAggregates(context.Topics, partition, context.Time);
        _place = new CommandPlace(context, partition);
        Intake = new CommandIntake(context, _queue, _place);
        Reads = new OwnerReads(this, context.Definition, context.Topics, _queue);
        _read = record => MisplacedCommand.RightPartition(record, context.Partitions) is { } right
            ? CommandRecord.ReadMisplaced(record, _place.TopicOf(record), right,
                MisplacedCommand.ReasonToKeep(record, right, context.Partitions))
            : CommandRecord.Read(record, _place.TopicOf(record), context.Serde, context.Definition);
        Completion = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public int Partition => _partition;

    public PartitionStatus Status { get; private set; } = PartitionStatus.Fencing;

    /// <summary>Why the partition is halted; null: it is not.</summary>
    public string? HaltReason { get; private set; }

    /// <summary>The owner before is fenced.</summary>
    public Task Fenced => _fenced.Task;

    /// <summary>The state is that of the end of the log, and commands are decided; or the partition is halted.</summary>
    public Task Settled => _settled.Task;

    /// <summary>
    /// Ends when the task was stopped, or faults: a <see cref="KafkaException"/> means that the partition was lost or Kafka failed for
    /// good; others are faults of this node.
    /// </summary>
    public Task Completion { get; }

    /// <summary>For how long it has been deciding and committing what it has in hand; zero while it waits for commands.</summary>
    public TimeSpan BusyFor => Interlocked.Read(ref _busySince) is not 0 and var since ? Stopwatch.GetElapsedTime(since) : TimeSpan.Zero;

    /// <summary>How many aggregates are parked, and how many there are; none while the partition does not serve.</summary>
    public (long Parked, long All) Counts => Status == PartitionStatus.Serving ? (_parked.Count, _store!.Aggregates) : default;

    /// <summary>Where commands come in.</summary>
    public CommandIntake Intake { get; }

    /// <summary>Reads of the partition.</summary>
    public OwnerReads Reads { get; }

    /// <summary>The first offset whose event reads do not show; -1: the partition does not serve here.</summary>
    public long NextOffset => Status == PartitionStatus.Serving ? _store!.Checkpoint : -1;

    /// <summary>The topics that the state was made from; null before they are known.</summary>
    public TopicIdentities? Topics => _place.Known;

    /// <summary>
    /// Adds a command of a caller with <paramref name="bytes"/> of payload; false: the partition does not serve here (any more).
    /// </summary>
    /// <exception cref="OverloadedException">Too much waits already.</exception>
    public bool TryAdd(IncomingCommand command, int bytes) => Status == PartitionStatus.Serving && Intake.TryAdd(command, bytes);

    /// <summary>Publishes the owner again, as this node's address has changed.</summary>
    public void Announce()
    {
        _announce = true;
        _queue.Nudge();
    }

    /// <summary>Writes a barrier soon, however few events have come since the one before.</summary>
    public void WriteBarrier()
    {
        _isBarrierWanted = true;
        _queue.Nudge();
    }

    /// <summary>Ends the deciding, as a topic is not the one that this task left.</summary>
    public void Halt(UnexpectedLogException reason)
    {
        _place.Halt(reason);
        _queue.Nudge();
    }

    /// <summary>The snapshots topic has been made again, with another id.</summary>
    public void LoseSnapshots(TopicId now)
    {
        _place.LoseSnapshots(now);
        _queue.Nudge();
    }

    /// <summary>The offset that is due is not in the command topic (any more): see <see cref="CommandPlace.Find"/>.</summary>
    public long? FindPlace(CancellationToken cancellationToken)
    {
        long? found = _place.Find(cancellationToken);
        _queue.Nudge(); // it may be halted
        return found;
    }

    /// <summary>Ends the task after the batch that is in flight.</summary>
    public void Stop()
    {
        _stop.Cancel();
        _queue.Close();
    }

    /// <summary>Frees what is left once <see cref="Completion"/> has ended.</summary>
    public void Dispose()
    {
        _stop.Dispose();
        _place.Dispose();
    }

    private void Run()
    {
        Activity.Current = null; // whoever started the node is not who sends commands
        try
        {
            _transactions = new PartitionTransactions(_context, _partition, Reads.Fence, _stop.Token);
            _transactions.Fence();
            _fenced.TrySetResult();
            Publish(OwnerStatus.Restoring);
            Restore();
            try
            {
                Serve();
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                // The batch in flight cannot be committed any more: whoever has sent it asks again.
            }

            HandOver();
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Stopped while restoring.
        }
        catch (Exception wrong) when (wrong is UnexpectedLogException or ArchiveDamagedException)
        {
            BeHalted(wrong.Message);
        }
        catch (Exception failure)
        {
            _fenced.TrySetException(failure);
            _settled.TrySetException(failure);
            throw;
        }
        finally
        {
            Status = PartitionStatus.Stopped;
            ProcessingTelemetry.Halt(_context.Topics, _partition, false);
            _fenced.TrySetResult();
            _settled.TrySetCanceled();
            Reads.Close();
            ProcessingTelemetry.Unwatch(_context.Topics, _partition);
            _transactions?.Dispose();
            if (_store is not null)
                (_reads ?? new StoreReads(_store, _partition)).Close();
            ProcessingTelemetry.Unwatch(_parked);
            _timers?.Dispose();
            Intake.GiveUp(_batch);
        }
    }

    private void Restore()
    {
        Status = PartitionStatus.Restoring;
        long started = Stopwatch.GetTimestamp();
        _context.YieldStandby(_partition);
        TopicIdentities topics = TopicIdentities.Ask(_context, _stop.Token);
        _place.Begin(topics, _parked);
        _resolver = new DeadLetterResolver(_context, _partition, _registry, _transactions!, _parked, _read, _stop.Token);
        _resolver.Load();
        ProcessingTelemetry.Watch(_parked);
        PartitionPosition? recorded = new PositionReader(_context, _partition, _registry).Read(_stop.Token);
        long replaying = Stopwatch.GetTimestamp();
        (OpenedStore opened, AggregateCache aggregates, long events) = StoreRestore.Run(_context,
            new StoreOpening(_context, _partition, _registry), _parked, topics, recorded, Use, Replay, _stop.Token);
        (StateStore state, long end, bool isWithoutBase) = opened;
        _reads = new StoreReads(state, _partition);
        Reads.Open(_reads, _parked, new PartitionHistory(_context, _partition, _reads, _parked));
        if (_context.Definition.Reacts)
            _timers = ProcessTimers.Open(_context, _partition, _queue.Wake, _stop.Token);
        var outbox = new ProcessEffects(_context.Definition, _context.Topics, _partition, _context.Serde, _context.Encoders, _timers,
            _context.Time, _context.Options.MaxCommandBytes);
        _decider = new BatchDecider(_context.Definition, _partition, state, aggregates, _context.Encoders.Events,
            _context.Options.MaxEventBytes, _parked, outbox);
        _committer = new BatchCommitter(
            _context, _transactions!, _place, Reads.Fence, _queue, state, aggregates, _decider, outbox, _tracing, end,
            isWithoutBase ? _context.Options.BarrierEvents : events, _stop.Token);
        _waiting = new WaitingCommands(_decider, _committer, _tracing, _context.Options.MaxBatchBytes);
        _resolver.Begin(state, aggregates, _decider, _committer);
        ProcessingTelemetry.Watch(_context.Topics, _partition,
            new PartitionFigures(() => (state.Aggregates, _committer.EventsSinceBarrier), () => _queue.Bytes));
        _place.GoOn(recorded, state, end, _transactions!, offset => _context.Reposition(this, offset), _stop.Token);
        _resolver.FoldWhatCanBeReadNow();
        ProcessingTelemetry.Replayed(events, Stopwatch.GetElapsedTime(replaying));
        ProcessingTelemetry.Restored(_context.Topics, events, Stopwatch.GetElapsedTime(started));
        PartitionTaskLog.LogRestored(_logger, _context.Definition.Name, _partition, events,
            Stopwatch.GetElapsedTime(started).TotalMilliseconds);

        void Use(StateStore? store)
        {
            if (store is null)
                _store!.Dispose();
            _store = store;
        }

        (OpenedStore, AggregateCache, long) Replay(OpenedStore store)
        {
            replaying = Stopwatch.GetTimestamp();
            var cache = new AggregateCache(store.Store, _context.Definition, _context.CachedBytes);
            return (store, cache, new EventReplay(_context.Connection, new EventFolder(_context, _partition, _registry, store.Store, cache,
                _parked)).Run(store.End, _resolver.Park, _stop.Token));
        }
    }

    private void Serve()
    {
        Status = PartitionStatus.Serving;
        Publish(OwnerStatus.Serving);
        _settled.TrySetResult();
        _ = new IndexBackfill(_context, _partition, _store!, _reads!).RunAsync(_stop.Token);
        while (true)
        {
            ActOnTopics();
            Reads.Erasures.Act(_committer.Aggregates);
            Interlocked.Exchange(ref _busySince, 0);
            if (!_queue.Take(_batch, _context.Options.MaxBatchCommands, _context.Options.MaxBatchBytes, _linger.Next, out long left))
                return;
            Interlocked.Exchange(ref _busySince, Stopwatch.GetTimestamp());
            _linger.Took(_queue.Added);
            Intake.ResumeIfRoom(left);
            if (_batch.Count == 0 || _announce)
                CommitAlone();
            if (_batch.Count == 0)
                continue;
            long started = Stopwatch.GetTimestamp();
            _committer.Begin();
            Process(_batch);
            TimeSpan took = Stopwatch.GetElapsedTime(started);
            BatchFigures figures = _committer.Figures;
            _linger.Answered(figures.Answered, figures.AddedBeforeAnswers, took, Stopwatch.GetTimestamp());
            ProcessingTelemetry.Committed(_context.Topics, _batch.Count - figures.Forwarded, figures.Appended, took);
            _decider.Clear();
            if (_committer.IsBarrierDue)
                _committer.TryWriteBarrier();
            if (Reads.Fence.IsAwaited)
                _queue.Nudge(); // a batch without records has proved nothing to them
        }
    }

    // What whoever watches the topics has found.
    private void ActOnTopics()
    {
        _place.ThrowIfUnexpected();
        if (_isBarrierWanted)
            _isBarrierWanted = _committer.EventsSinceBarrier > 0 && !_committer.TryWriteBarrier();
        if (!_place.TakeNewSnapshots())
            return;
        _store!.ChangeAll();
        _store.PutTopics(_place.KeptTopics);
        _committer.TryWriteBarrier();
    }

    // What no batch has carried: reads that wait, or a new address. One record makes it a transaction that Kafka has to accept; librdkafka
    // does not ask the broker to end an empty one.
    private void CommitAlone()
    {
        if (_announce)
            Publish(OwnerStatus.Serving);
        else if (Reads.Fence.IsAwaited)
            _transactions!.Run(() => _transactions.Writer.WriteFence(_context.ReplyPartitions));
    }

    private void Publish(OwnerStatus status)
    {
        _announce = false; // before the address is read: one that comes now is announced again, one that has come need not be
        _transactions!.Run(() =>
            _transactions.Writer.WriteOwner(new PartitionOwner
            {
                Node = _context.Node.Id,
                Address = _context.Node.Address,
                Status = status,
                Time = _context.Time.GetUtcNow(),
            }));
    }

    private void Process(List<QueuedCommand> batch)
    {
        _waiting.Commands.Clear();
        long input = -1;
        using (Activity? receiving = Tracing.IsOn ? _tracing.Receive(batch) : null)
        {
            foreach (QueuedCommand queued in batch)
            {
                if (queued == default)
                {
                    _timers!.AddDueTo(_waiting.Commands, _context.Options.MaxBatchCommands);
                    continue;
                }

                IncomingCommand command = queued.Direct ?? _registry.Read(queued.Record!, _read, _stop.Token);
                if (receiving is not null)
                    CommandTracing.Link(receiving, command);
                if (command.Request is not null)
                {
                    _waiting.Commit(input);
                    _resolver.Resolve(command, queued.Record!.Offset.Value + 1);
                    input = -1;
                    continue;
                }

                _waiting.Commands.Add(command);
                if (queued.Record is { } record)
                    input = record.Offset.Value + 1;
            }
        }

        _waiting.Commit(input);
    }

    // What the next owner would have to replay is worth a barrier when it is much more than what the barrier would hold. That the partition
    // is free is told for the sake of those who wait; nothing depends on it.
    private void HandOver()
    {
        Status = PartitionStatus.Stopped;
        try
        {
            if (_committer.EventsSinceBarrier >= _context.Options.HandOverBarrierEvents
                && (_context.Options.StreamSnapshots is not null
                    || _store!.Changed().Count * ChangesPerSnapshot <= _committer.EventsSinceBarrier))
                _committer.TryWriteBarrier();
            Publish(OwnerStatus.Released);
        }
        catch (KafkaException deposed)
        {
            PartitionTaskLog.LogNotReleased(_logger, deposed, _partition);
        }
    }

    // The partition stays this node's, so that nobody else takes it for a new one. Whoever waits is told; nothing is decided.
    private void BeHalted(string reason)
    {
        HaltReason = $"{reason} Nothing of the partition is decided or appended until an operator has acted.";
        Status = PartitionStatus.Halted;
        Interlocked.Exchange(ref _busySince, 0);
        ProcessingTelemetry.Halt(_context.Topics, _partition, true);
        PartitionTaskLog.LogHalted(_logger, _partition, _context.Definition.Name, reason);
        _fenced.TrySetResult();
        _settled.TrySetResult();
        Reads.Fence.Close();
        ProcessingTelemetry.Unwatch(_context.Topics, _partition);
        Intake.GiveUp(_batch);
        _stop.Token.WaitHandle.WaitOne();
    }
}
