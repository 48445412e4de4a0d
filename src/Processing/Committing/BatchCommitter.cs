using System.Diagnostics;
using Confluent.Kafka;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Commits what is decided: events, replies and the input offset of a batch in one Kafka transaction; the store follows only after the
/// commit, and then callers are answered. Now and then it writes a barrier. Owned by the partition task's thread.
/// </summary>
internal sealed partial class BatchCommitter
{
    private readonly PartitionContext _context;
    private readonly PartitionTransactions _transactions;
    private readonly CommandPlace _place;
    private readonly ReadFence _reads;
    private readonly CommandQueue _queue;
    private readonly StateStore _store;
    private readonly AggregateCache _aggregates;
    private readonly BatchDecider _decider;
    private readonly ProcessEffects _effects;
    private readonly CommandTracing _tracing;
    private readonly ILogger _logger;
    private readonly TopicPartition _commands;
    private readonly TopicPartition _events;
    private readonly int _partition;
    private readonly CancellationToken _stop;
    private long _nextEventOffset;
    private long _bytesSinceBarrier;
    private long _eventsSinceBarrier;

    /// <summary>
    /// Commits batches of <paramref name="decider"/> behind the event at <paramref name="end"/>, with <paramref name="eventsSinceBarrier"/>
    /// events behind the newest barrier.
    /// </summary>
    public BatchCommitter(
        PartitionContext context, PartitionTransactions transactions, CommandPlace place, ReadFence reads, CommandQueue queue,
        StateStore store, AggregateCache aggregates, BatchDecider decider, ProcessEffects effects,
        CommandTracing tracing, long end, long eventsSinceBarrier, CancellationToken stop)
    {
        (_context, _transactions, _place, _reads, _queue, _store, _aggregates, _decider, _effects, _tracing, _stop) =
            (context, transactions, place, reads, queue, store, aggregates, decider, effects, tracing, stop);
        (_nextEventOffset, _eventsSinceBarrier, _logger, _partition) = (end, eventsSinceBarrier, context.Logger, place.Partition);
        _commands = new TopicPartition(context.Topics.Commands, _partition);
        _events = new TopicPartition(context.Topics.Events, _partition);
    }

    /// <summary>How many events the newest barrier does not have; thread-safe.</summary>
    public long EventsSinceBarrier => Volatile.Read(ref _eventsSinceBarrier);

    /// <summary>Whether enough has come since the newest barrier for another one.</summary>
    public bool IsBarrierDue => _eventsSinceBarrier >= _context.Options.BarrierEvents
        || _bytesSinceBarrier >= _context.Options.BarrierBytes;

    /// <summary>What has been committed since <see cref="Begin"/>.</summary>
    public BatchFigures Figures { get; private set; }

    /// <summary>The aggregates in memory.</summary>
    public AggregateCache Aggregates => _aggregates;

    /// <summary>Counts from here on.</summary>
    public void Begin() => Figures = default;

    /// <summary>
    /// Commits what <paramref name="decide"/> decides, and the input offset that <paramref name="input"/> says then (-1: none); a batch
    /// that is aborted is decided again.
    /// </summary>
    /// <exception cref="UnexpectedLogException">A topic is not the one that this task left.</exception>
    public void Commit(Action decide, Func<long> input)
    {
        InputMark? next;
        for (int attempt = 0; ; attempt++)
        {
            _decider.Begin(_nextEventOffset);
            decide();
            next = input() is >= 0 and var decided ? new InputMark(_place.Topics.Commands, decided) : null;
            using (Activity? appending = Tracing.IsOn ? _tracing.Append(_decider.Events) : null)
            {
                if (TryCommit(next))
                    break;
                appending?.SetStatus(ActivityStatusCode.Error, "aborted; it is decided again");
            }

            ProcessingTelemetry.Aborted(_context.Topics);
            PauseAfterAbort(attempt);
            _nextEventOffset = FindEnd();
        }

        Apply(next);
    }

    /// <summary>
    /// Writes all aggregates that changed since the last barrier, a marker, and what <paramref name="inTheSameTransaction"/> writes. False:
    /// it was aborted, and the next batch tries again. Where event streams keep the snapshots it writes how far it has come, and nothing
    /// else of its own.
    /// </summary>
    public bool TryWriteBarrier(Action? inTheSameTransaction = null)
    {
        bool hasSnapshots = _context.Options.StreamSnapshots is null;
        // those of streams count as changed for as long as there are streams: who does without again writes all of them
        List<AggregateId> changed = hasSnapshots ? _store.Changed() : [];
        TransactionWriter writer = _transactions.Writer;
        PartitionPosition position = _place.KeptTopics.At(_place.Input.Next, _nextEventOffset);
        try
        {
            writer.Begin();
            string schema = _context.Serde.TypeOf(_context.Definition.StateType).Fingerprint;
            foreach (AggregateId id in changed)
            {
                writer.WriteSnapshot(_aggregates.Get(id), _store, schema);
                _aggregates.Trim(); // all of them together may be more than memory
            }

            if (!hasSnapshots)
            {
                writer.WritePosition(position);
                // one of before would bring back the state before an event that is folded or discarded in this transaction
                if (inTheSameTransaction is not null)
                    writer.WithdrawBarrier();
            }
            else
            {
                writer.WriteBarrier(new SnapshotBarrier
                {
                    NextEventOffset = _nextEventOffset,
                    Aggregates = changed.Count,
                    Time = _context.Time.GetUtcNow(),
                    TotalAggregates = _store.Aggregates,
                    Position = position,
                });
            }

            inTheSameTransaction?.Invoke();
            _transactions.Commit();
        }
        catch (KafkaTxnRequiresAbortException failed)
        {
            _transactions.Abort(failed);
            return false;
        }

        _store.ClearChanged(changed);
        Volatile.Write(ref _eventsSinceBarrier, 0);
        _bytesSinceBarrier = 0;
        return true;
    }

    // Kafka refuses the offsets of a member whose group is in a rebalance, or has lost it. The rebalance takes the partition away or leaves
    // it; the thread that learns which may wait for this task already.
    private void PauseAfterAbort(int attempt)
    {
        const int longest = 7;
        if (_stop.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(1 << Math.Min(attempt, longest))))
            throw new OperationCanceledException(_stop);
    }

    // After an abort: the end of the log that this task is the only one to write to does not go back.
    private long FindEnd()
    {
        using PartitionLogReader reader = PartitionLogReader.ToEnd(_context.Connection, "restore");
        long end = reader.SettledEnd(_events, _stop);
        _place.CheckTopics(_stop);
        return end >= _nextEventOffset ? end : throw new UnexpectedLogException(
            _events.Topic, $"The topic {_events.Topic} ends at offset {end} in partition {_partition}, and had {_nextEventOffset} before: "
                + $"it has lost events.");
    }

    private bool TryCommit(InputMark? input)
    {
        TransactionWriter writer = _transactions.Writer;
        try
        {
            writer.Begin();
            IReadOnlyList<DecidedEvent> events = _decider.Events;
            for (int i = 0; i < events.Count; i++)
                writer.WriteEvent(events[i], i == events.Count - 1 ? _place.MarkOfEvents(input) : null);
            // An answer of the direct door needs no record, but one transaction that Kafka accepts: a batch without events sends one reply,
            // so that a deposed writer cannot say no either.
            bool fenced = events.Count > 0 || input is not null;
            foreach ((IncomingCommand command, CommandOutcome outcome) in _decider.Answers)
            {
                if (command.Timer is not null)
                    continue; // nobody waits
                if (command.Caller is null || !fenced)
                    writer.WriteReply(command, outcome, _context.ReplyPartitions);
                fenced = true;
            }

            foreach ((TopicPartition target, Message<byte[], byte[]> message) in _effects.Records)
                writer.Write(target, message);
            foreach (IncomingCommand command in _decider.Forwarded)
                writer.WriteForwarded(new TopicPartition(_commands.Topic, command.ForwardTo!.Value), command, _context.Partitions,
                    _context.ReplyPartitions);
            foreach (Message<byte[], byte[]> entry in _decider.DeadLetters)
                writer.WriteDeadLetter(entry);
            if (input is { } undone && events.Count == 0)
                writer.WritePosition(_place.KeptTopics.At(undone.Next, _nextEventOffset));
            writer.Complete();
            if (input is { } mark)
                _transactions.SendInput(new TopicPartitionOffset(_commands, mark.Next));
            if (events.Count > 0 && !LastEventIsWhereItsReplySays(events.Count))
            {
                LogUnexpectedOffset(_partition, _nextEventOffset + events.Count - 1, writer.LastEventOffset);
                _transactions.Abort();
                return false;
            }

            if (fenced || _effects.Records.Count > 0 || _decider.DeadLetters.Count > 0 || _decider.Forwarded.Count > 0)
                _reads.BeginCommit(); // without a record nobody asks Kafka
            _transactions.Commit();
            return true;
        }
        catch (KafkaTxnRequiresAbortException failed)
        {
            _transactions.Abort(failed);
            return false;
        }
    }

    private bool LastEventIsWhereItsReplySays(int events)
    {
        _transactions.AwaitDelivery();
        return _transactions.Writer.LastEventOffset == _nextEventOffset + events - 1;
    }

    // The batch is in the log.
    private void Apply(InputMark? input)
    {
        int events = _decider.Events.Count;
        // The transaction's own marker takes the offset behind its events.
        if (events > 0)
            _nextEventOffset += events + 1;
        _place.Decided(input, events);
        if (input is { } mark)
            _store.PutInput(mark);
        if (_decider.DeadLetters.Count > 0)
            _store.PutTopics(_place.Topics);
        _decider.Apply(_nextEventOffset);
        Volatile.Write(ref _eventsSinceBarrier, _eventsSinceBarrier + events);
        _bytesSinceBarrier += _decider.StateBytes;
        _reads.Committed();
        int answered = Figures.Answered;
        long addedBefore = answered == 0 ? _queue.Added : Figures.AddedBeforeAnswers;
        foreach ((IncomingCommand command, CommandOutcome outcome) in _decider.Answers)
        {
            if (command.Caller is not { } caller)
                continue;
            OutcomeReplies.Tell(caller, command, outcome, _partition);
            answered++;
        }

        foreach (IncomingCommand command in _decider.Forwarded)
            _context.Misplaced.Forwarded(command.Record!, command.ForwardTo!.Value);
        ProcessingTelemetry.Rerouted(_context.Topics, _decider.Forwarded.Count);
        Figures = new BatchFigures(answered, Figures.Forwarded + _decider.Forwarded.Count, Figures.Appended + events, addedBefore);
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "An event of partition {Partition} was expected at offset {Expected} and stands at {Actual}; the batch is aborted and "
            + "decided again")]
    private partial void LogUnexpectedOffset(int partition, long expected, long actual);
}

/// <summary>What a batch did.</summary>
/// <param name="Answered">How many callers of the direct door got their outcome.</param>
/// <param name="Forwarded">How many commands lay on the wrong partition.</param>
/// <param name="Appended">How many events it appended.</param>
/// <param name="AddedBeforeAnswers">How many commands had come before the first of the answers.</param>
internal readonly record struct BatchFigures(int Answered, int Forwarded, int Appended, long AddedBeforeAnswers);
