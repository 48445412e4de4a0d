using System.Diagnostics;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// The single writer of one partition, on a thread of its own. In this order: it fences the owner before it (<c>InitTransactions</c>), restores, serves. Each batch is
/// one Kafka transaction of events, replies and the input offset; the store follows only after the commit.
/// </summary>
internal sealed partial class PartitionTask : IDisposable
{
    private const int MaxCommitAttempts = 20;
    private const int MaxDeadLetterBytes = 2 * 1024 * 1024; // whatever fits the command topic, and our headers; the topic's own limit is the same
    private static readonly TimeSpan TransactionCallTimeout = TimeSpan.FromSeconds(30);

    private readonly PartitionContext _context;
    private readonly int _partition;
    private readonly TopicPartition _commands;
    private readonly TopicPartition _events;
    private readonly CommandQueue _queue = new();
    private readonly BatchLinger _linger = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _fenced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _pauseLock = new();
    private readonly List<QueuedCommand> _batch = [];
    private readonly List<IncomingCommand> _deciding = [];
    private readonly ILogger _logger;
    private readonly RegistryWait _registry;
    private readonly CommandTracing _tracing;
    private readonly Func<ConsumeResult<byte[], byte[]>, IncomingCommand> _read;
    private IProducer<byte[], byte[]> _producer = null!;
    private EventWriter _writer = null!;
    private StateStore? _store;
    private StoreReads? _reads;
    private AggregateCache _aggregates = null!;
    private ParkedAggregates _parked = null!;
    private ProcessTimers? _timers;
    private ReactionOutbox _outbox = null!;
    private BatchDecider _decider = null!;
    private long _nextEventOffset;
    private long _eventsSinceBarrier;
    private long _bytesSinceBarrier;
    private bool _paused;
    private int _answered; // callers, by the batch in flight
    private long _busySince; // 0: it waits for commands
    private int _forwarded; // commands of the batch in flight that lie on the wrong partition
    private int _appended; // events, by the batch in flight
    private long _addedBeforeAnswers;

    public PartitionTask(PartitionContext context, int partition)
    {
        (_context, _partition) = (context, partition);
        _commands = new TopicPartition(context.Topics.Commands, partition);
        _events = new TopicPartition(context.Topics.Events, partition);
        _fence = new ReadFence(partition);
        _logger = context.Logger;
        _registry = new RegistryWait(_logger, partition);
        _tracing = new CommandTracing(context.Topics, partition);
        _read = record => MisplacedCommand.RightPartition(record, context.Partitions) is { } right
            ? IncomingCommand.ReadMisplaced(record, TopicOf(record), right, MisplacedCommand.ReasonToKeep(record, right, context.Partitions))
            : IncomingCommand.Read(record, TopicOf(record), context.Serde, context.Definition);
        Completion = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public int Partition => _partition;

    public PartitionStatus Status { get; private set; } = PartitionStatus.Fencing;

    /// <summary>The owner before is fenced.</summary>
    public Task Fenced => _fenced.Task;

    /// <summary>The state is that of the end of the log, and commands are decided; or the partition is halted.</summary>
    public Task Settled => _settled.Task;

    /// <summary>Ends when the task was stopped, or faults: a <see cref="KafkaException"/> means that the partition was lost or Kafka failed for good; others are faults of this node.</summary>
    public Task Completion { get; }

    /// <summary>For how long it has been deciding and committing what it has in hand; zero while it waits for commands.</summary>
    public TimeSpan BusyFor => Interlocked.Read(ref _busySince) is not 0 and var since ? Stopwatch.GetElapsedTime(since) : TimeSpan.Zero;

    /// <summary>How many aggregates are parked, and how many there are; none while the partition does not serve.</summary>
    public (long Parked, long All) Counts => Status == PartitionStatus.Serving ? (_parked.Count, _store!.Aggregates) : default;

    /// <summary>Adds a command; called by the consumer's thread.</summary>
    public void Add(ConsumeResult<byte[], byte[]> record)
    {
        if (record.Offset.Value < _due)
            return;
        _due = record.Offset.Value + 1;
        if (_queue.Add(record) <= _context.MaxWaitingBytes())
            return;
        lock (_pauseLock)
        {
            // Asked again: the task may have taken all of it meanwhile and found nothing paused. Nobody would resume a consumer that is paused before an empty queue.
            if (_paused || _queue.Bytes <= _context.MaxWaitingBytes())
                return;
            _context.Consumer.Pause([_commands]);
            _paused = true;
        }
    }

    /// <summary>Adds a command of the direct door with <paramref name="bytes"/> of payload; false: the partition does not serve here (any more).</summary>
    /// <exception cref="OverloadedException">Too much waits already.</exception>
    public bool TryAdd(IncomingCommand command, int bytes) =>
        Status == PartitionStatus.Serving && _queue.TryAdd(command, bytes, _context.MaxWaitingBytes()) is { } added
        && (added ? true : throw new OverloadedException($"{_context.MaxWaitingBytes():N0} bytes of commands wait for partition {_partition} already; try again in a while."));

    /// <summary>Tells the callers that have waited for longer than <paramref name="limit"/> that they get no answer.</summary>
    public void EndLateCallers(TimeSpan limit)
    {
        foreach (IncomingCommand late in _queue.WaitingSince(Stopwatch.GetTimestamp() - (long)(limit.TotalSeconds * Stopwatch.Frequency)))
        {
            late.Caller!.TrySetException(CommandProcessor.Late(late.CommandId, limit));
            late.Caller.Settled();
        }
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
        _restarted.Dispose();
    }

    private void Run()
    {
        Activity.Current = null; // whoever started the node is not who sends commands
        try
        {
            Fence();
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
        catch (UnexpectedLogException wrong)
        {
            BeHalted(wrong);
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
            _fence.Close();
            ProcessingTelemetry.Unwatch(_context.Topics, _partition);
            _producer?.Dispose();
            _writer?.Dispose();
            Close();
            ProcessingTelemetry.Unwatch(_parked);
            _timers?.Dispose();
            GiveUpCallers();
        }
    }

    // Whether a command of the batch in flight took effect is not known here; whoever sends it again, at any door, learns it.
    private void GiveUpCallers()
    {
        foreach (IncomingCommand command in _batch.Select(q => q.Direct).OfType<IncomingCommand>().Concat(_queue.Drain()))
            command.Caller?.GiveUp(new AggregateUnavailableException(_partition, $"Partition {_partition} has left this node while the command {command.CommandId} waited. The outcome is not known: send it again under the same id to learn it."));
    }

    private void Close()
    {
        if (_store is not null)
            (_reads ?? new StoreReads(_store, _partition)).Close();
    }

    private void Fence()
    {
        ProducerConfig config = _context.Connection.Producer();
        config.TransactionalId = $"{_context.Topics.Application}-{_context.Topics.Aggregate}-{_partition}";
        config.TransactionTimeoutMs = (int)_context.Options.TransactionTimeout.TotalMilliseconds;
        config.LingerMs = 0; // a commit waits out the linger
        config.RetryBackoffMs = 1;
        config.QueueBufferingMaxMessages = 1_000_000;
        config.DeliveryReportFields = "status";
        config.MessageMaxBytes = MaxDeadLetterBytes;
        config.Partitioner = Partitioner.Murmur2Random; // where a partition is not named: commands of processes, and their outcomes
        _producer = new ProducerBuilder<byte[], byte[]>(config)
            .SetLogHandler((_, line) => KafkaConnection.Log(_logger, line))
            .SetErrorHandler((_, _) => { })
            .Build();
        _writer = new EventWriter(_producer, _context.Serde, _context.Encoders, _context.Topics, _partition);
        _producer.InitTransactions(TransactionCallTimeout);
        _fenced.TrySetResult();
    }

    private void Restore()
    {
        Status = PartitionStatus.Restoring;
        long started = Stopwatch.GetTimestamp();
        _context.YieldStandby(_partition);
        _topics = TopicIdentities.Ask(_context, _stop.Token);
        LoadParked();
        PartitionPosition? recorded = new PositionReader(_context, _partition, _registry).Read(_stop.Token);
        (_store, long end, bool isWithoutBase) = new StoreOpening(_context, _partition, _registry).Open(_parked, _topics, recorded, _stop.Token);
        _aggregates = new AggregateCache(_store, _context.Definition, _context.CachedBytes);
        long replaying = Stopwatch.GetTimestamp();
        long events = new EventReplay(_context, _partition, _registry, _store, _aggregates, _parked, ParkEvent).Run(end, _stop.Token);
        _reads = new StoreReads(_store, _partition);
        _outbox = OpenOutbox();
        _nextEventOffset = end;
        _eventsSinceBarrier = isWithoutBase ? _context.Options.BarrierEvents : events;
        ProcessingTelemetry.Watch(_context.Topics, _partition, new PartitionFigures(() => (_store.Aggregates, _eventsSinceBarrier), () => _queue.Bytes));
        GoOn(recorded);
        _decider = new BatchDecider(_context.Definition, _partition, _store, _aggregates, _context.Encoders.Events, _context.Options.MaxEventBytes, _parked, _outbox);
        FoldWhatCanBeReadNow();
        ProcessingTelemetry.Replayed(events, Stopwatch.GetElapsedTime(replaying));
        ProcessingTelemetry.Restored(_context.Topics, events, Stopwatch.GetElapsedTime(started));
        LogRestored(_context.Definition.Name, _partition, events, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
    }

    private void Serve()
    {
        Status = PartitionStatus.Serving;
        Publish(OwnerStatus.Serving);
        _settled.TrySetResult();
        while (true)
        {
            ActOnTopics();
            Interlocked.Exchange(ref _busySince, 0);
            if (!_queue.Take(_batch, _context.Options.MaxBatchCommands, _context.Options.MaxBatchBytes, _linger.Next, out long left))
                return;
            Interlocked.Exchange(ref _busySince, Stopwatch.GetTimestamp());
            _linger.Took(_queue.Added);
            ResumeIfRoom(left);
            if (_batch.Count == 0 || _announce)
                CommitAlone();
            if (_batch.Count == 0)
                continue;

            long started = Stopwatch.GetTimestamp();
            (_answered, _forwarded, _appended) = (0, 0, 0);
            Process(_batch);
            TimeSpan took = Stopwatch.GetElapsedTime(started);
            _linger.Answered(_answered, _addedBeforeAnswers, took, Stopwatch.GetTimestamp());
            ProcessingTelemetry.Committed(_context.Topics, _batch.Count - _forwarded, _appended, took);
            _decider.Clear();
            if (_eventsSinceBarrier >= _context.Options.BarrierEvents || _bytesSinceBarrier >= _context.Options.BarrierBytes)
                TryWriteBarrier(null);
            if (_fence.IsAwaited)
                _queue.Nudge(); // a batch without records has proved nothing to them
        }
    }

    private void ResumeIfRoom(long left)
    {
        lock (_pauseLock)
        {
            if (!_paused || left > _context.MaxWaitingBytes() / 2)
                return;
            _context.Consumer.Resume([_commands]);
            _paused = false;
        }
    }

    private void Process(List<QueuedCommand> batch)
    {
        _deciding.Clear();
        long input = -1;
        using (Activity? receiving = Tracing.IsOn ? _tracing.Receive(batch) : null)
        {
            foreach (QueuedCommand queued in batch)
            {
                if (queued == default)
                {
                    AddDueTimers();
                    continue;
                }

                IncomingCommand command = queued.Direct ?? Read(queued.Record!);
                if (receiving is not null)
                    CommandTracing.Link(receiving, command);
                if (command.Request is not null)
                {
                    DecideWaiting(input);
                    Settle(command, queued.Record!.Offset.Value + 1);
                    input = -1;
                    continue;
                }

                _deciding.Add(command);
                if (queued.Record is { } record)
                    input = record.Offset.Value + 1;
            }
        }

        DecideWaiting(input);
    }

    private void DecideWaiting(long input)
    {
        // Small commands may make large events, or be of large aggregates: what one transaction holds in memory is bounded by what is decided, too.
        for (int first = 0, next; first < _deciding.Count; first = next)
        {
            next = first;
            Commit(
                () =>
                {
                    for (next = first; next < _deciding.Count && (next == first || _decider.Bytes < _context.Options.MaxBatchBytes); next++)
                        Decide(_deciding[next]);
                },
                () => next == _deciding.Count ? input : InputOf(first, next));
        }

        _deciding.Clear();
    }

    private void Decide(IncomingCommand command)
    {
        if (Tracing.IsOn)
            _tracing.Decide(_decider, command);
        else
            _decider.Decide(command);
    }

    // The offset behind the last record of the command topic among those; -1: they are all of the direct door.
    private long InputOf(int first, int next)
    {
        for (int i = next - 1; i >= first; i--)
        {
            if (_deciding[i].Record is { } record)
                return record.Offset.Value + 1;
        }

        return -1;
    }

    private void Commit(Action decide, Func<long> input)
    {
        InputMark? next;
        for (int attempt = 0; ; attempt++)
        {
            _decider.Begin(_nextEventOffset);
            decide();
            next = input() is >= 0 and var decided ? new InputMark(_topics.Commands, decided) : null;
            using (Activity? appending = Tracing.IsOn ? _tracing.Append(_decider.Events) : null)
            {
                if (TryCommit(next))
                    break;
                appending?.SetStatus(ActivityStatusCode.Error, "aborted; it is decided again");
            }

            ProcessingTelemetry.Aborted(_context.Topics);
            PauseAfterAbort(attempt);
            long end = SettledEnd();
            CheckLog(end);
            _nextEventOffset = end;
        }

        int events = _decider.Events.Count;
        // The transaction's own marker takes the offset behind its events.
        if (events > 0)
            _nextEventOffset += events + 1;
        Decided(next, events);
        if (_decider.DeadLetters.Count > 0)
            _store!.PutTopics(_topics);
        _decider.Apply(_nextEventOffset);
        _eventsSinceBarrier += events;
        _bytesSinceBarrier += _decider.StateBytes;
        _appended += events;
        _fence.Committed();
        if (_answered == 0)
            _addedBeforeAnswers = _queue.Added;
        foreach ((IncomingCommand command, CommandOutcome outcome) in _decider.Answers)
        {
            if (command.Caller is not { } caller)
                continue;
            OutcomeReplies.Tell(caller, command, outcome, _partition);
            _answered++;
        }

        foreach (IncomingCommand command in _decider.Forwarded)
            _context.Misplaced.Forwarded(command.Record!, command.ForwardTo!.Value);
        ProcessingTelemetry.Rerouted(_context.Topics, _decider.Forwarded.Count);
        _forwarded += _decider.Forwarded.Count;
    }

    // Kafka refuses the offsets of a member whose group is in a rebalance, or has lost it. The rebalance takes the partition away or leaves it; the thread that learns which may wait for this task already.
    private void PauseAfterAbort(int attempt)
    {
        const int longest = 7;
        if (_stop.Token.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(1 << Math.Min(attempt, longest))))
            throw new OperationCanceledException(_stop.Token);
    }

    private long SettledEnd()
    {
        using PartitionLogReader reader = PartitionLogReader.ToEnd(_context.Connection, "restore");
        return reader.SettledEnd(_events, _stop.Token);
    }

    private IncomingCommand Read(ConsumeResult<byte[], byte[]> record) => _registry.Read(record, _read, _stop.Token);

    private bool TryCommit(InputMark? input)
    {
        try
        {
            _writer.Begin();
            IReadOnlyList<DecidedEvent> events = _decider.Events;
            for (int i = 0; i < events.Count; i++)
                _writer.WriteEvent(events[i], i == events.Count - 1 ? MarkOfEvents(input) : null);
            // An answer of the direct door needs no record, but one transaction that Kafka accepts: a batch without events sends one reply, so that a deposed writer cannot say no either.
            bool fenced = events.Count > 0 || input is not null;
            foreach ((IncomingCommand command, CommandOutcome outcome) in _decider.Answers)
            {
                if (command.Timer is not null)
                    continue; // nobody waits
                if (command.Caller is null || !fenced)
                    _writer.WriteReply(command, outcome, _context.ReplyPartitions);
                fenced = true;
            }

            foreach ((TopicPartition target, Message<byte[], byte[]> message) in _outbox.Records)
                _writer.Write(target, message);
            foreach (IncomingCommand command in _decider.Forwarded)
                _writer.WriteForwarded(new TopicPartition(_commands.Topic, command.ForwardTo!.Value), command, _context.Partitions, _context.ReplyPartitions);
            foreach (Message<byte[], byte[]> entry in _decider.DeadLetters)
                _writer.WriteDeadLetter(entry);
            if (input is { } undone && events.Count == 0)
                _writer.WritePosition(KeptTopics.At(undone.Next, _nextEventOffset));
            _writer.Complete();
            if (input is { } mark)
                _producer.SendOffsetsToTransaction([new TopicPartitionOffset(_commands, mark.Next)], _context.Consumer.ConsumerGroupMetadata, TransactionCallTimeout);
            if (events.Count > 0 && !LastEventIsWhereItsReplySays(events.Count))
            {
                LogUnexpectedOffset(_partition, _nextEventOffset + events.Count - 1, _writer.LastEventOffset);
                _producer.AbortTransaction(TransactionCallTimeout);
                return false;
            }

            if (fenced || _outbox.Records.Count > 0 || _decider.DeadLetters.Count > 0 || _decider.Forwarded.Count > 0)
                _fence.BeginCommit(); // without a record nobody asks Kafka
            Commit();
            return true;
        }
        catch (KafkaTxnRequiresAbortException failed)
        {
            LogAborted(failed, _partition);
            _producer.AbortTransaction(TransactionCallTimeout);
            return false;
        }
    }

    private bool LastEventIsWhereItsReplySays(int events)
    {
        AwaitDelivery();
        return _writer.LastEventOffset == _nextEventOffset + events - 1;
    }

    // Once this task is told to stop, what is under way is finished.
    private void AwaitDelivery() => _writer.AwaitDelivery(_stop.IsCancellationRequested ? CancellationToken.None : _stop.Token);

    private void Commit()
    {
        AwaitDelivery();
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                _producer.CommitTransaction(TransactionCallTimeout);
                return;
            }
            catch (KafkaRetriableException unknown) when (attempt < MaxCommitAttempts)
            {
                // Whether it is committed is not known; asking again tells. When it stays unknown, the partition is given up, and the next restore knows.
                LogCommitUnknown(unknown, _partition, attempt);
            }
        }
    }

    private bool TryWriteBarrier(Action? inTheSameTransaction)
    {
        List<AggregateId> changed = _store!.Changed();
        try
        {
            _writer.Begin();
            string schema = _context.Serde.TypeOf(_context.Definition.StateType).Fingerprint;
            foreach (AggregateId id in changed)
            {
                _writer.WriteSnapshot(_aggregates.Get(id), _store, schema);
                _aggregates.Trim(); // all of them together may be more than memory
            }

            _writer.WriteBarrier(BarrierOf(changed.Count));
            inTheSameTransaction?.Invoke();
            Commit();
        }
        catch (KafkaTxnRequiresAbortException failed)
        {
            LogAborted(failed, _partition);
            _producer.AbortTransaction(TransactionCallTimeout);
            return false; // the next batch tries again
        }

        _store.ClearChanged(changed);
        (_eventsSinceBarrier, _bytesSinceBarrier) = (0, 0);
        return true;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Partition {Partition} of {Aggregate} is restored: {Events} events in {Milliseconds:N0} ms")]
    private partial void LogRestored(string aggregate, int partition, long events, double milliseconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A batch of partition {Partition} was aborted and is decided again")]
    private partial void LogAborted(Exception failure, int partition);

    [LoggerMessage(Level = LogLevel.Warning, Message = "An event of partition {Partition} was expected at offset {Expected} and stands at {Actual}; the batch is aborted and decided again")]
    private partial void LogUnexpectedOffset(int partition, long expected, long actual);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The outcome of a commit of partition {Partition} is not known (attempt {Attempt}); asking again")]
    private partial void LogCommitUnknown(Exception failure, int partition, int attempt);
}
