using Confluent.Kafka;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

// Where the task is in its topics, and whether they are those that it left.
internal sealed partial class PartitionTask
{
    private readonly ManualResetEventSlim _restarted = new();
    private TopicIdentities _topics = null!;
    private InputMark _input;
    private bool _isInputInEvents;
    private long _due; // of the consumer's thread: the offset of the next command
    private long _oldIdsBefore;
    private volatile bool _isPlaced;
    private bool _isOutside; // under _topicsLock: the consumer has begun where there is nothing
    private UnexpectedLogException? _unexpected;
    private TopicId _newSnapshots; // of whoever watches the topics, under _topicsLock
    private readonly Lock _topicsLock = new();

    /// <summary>Why the partition is halted; null: it is not.</summary>
    public string? HaltReason { get; private set; }

    /// <summary>The topics that the state was made from; null before they are known.</summary>
    public TopicIdentities? Topics => _isPlaced ? KeptTopics : null;

    private TopicIdentities KeptTopics => _topics.With(_parked.HasLetters);

    /// <summary>Ends the deciding, as a topic is not the one that this task left.</summary>
    public void Halt(UnexpectedLogException reason)
    {
        Interlocked.CompareExchange(ref _unexpected, reason, null);
        _queue.Nudge();
    }

    /// <summary>The snapshots topic has been made again, with another id.</summary>
    public void LoseSnapshots(TopicId now)
    {
        lock (_topicsLock)
            _newSnapshots = now;
        _queue.Nudge();
    }

    /// <summary>From now on the consumer reads from <paramref name="offset"/> on; called by its thread. What waits already is kept when it is before that.</summary>
    public void Restart(long offset, bool keepsWaiting)
    {
        if (!keepsWaiting)
            _queue.DropRecords();
        _due = offset;
        lock (_pauseLock)
        {
            if (_paused)
                _context.Consumer.Resume([_commands]);
            _paused = false;
        }

        _restarted.Set();
    }

    /// <summary>
    /// The offset that is due is not in the command topic (any more); called by the consumer's thread. Returns where to go on; null: it is not known here yet, or there is none and the partition is halted.
    /// </summary>
    /// <exception cref="KafkaException">The topic was made again: whoever is assigned next begins with it.</exception>
    public long? FindPlace(CancellationToken cancellationToken)
    {
        lock (_topicsLock)
        {
            if (!_isPlaced)
            {
                _isOutside = true;
                return null;
            }
        }

        TopicIdentities now = TopicIdentities.Ask(_context, cancellationToken);
        if (_topics.Commands.Differs(now.Commands))
            throw new KafkaException(new Error(ErrorCode.UnknownTopicOrPart, $"The topic {_commands.Topic} was deleted and made again."));
        WatermarkOffsets bounds = PartitionOffsets.Query(_context.Consumer, _commands, TransactionCallTimeout, cancellationToken);
        try
        {
            InputPosition place = InputPosition.Find(_topics.Commands, [new InputMark(_topics.Commands, _due)], _due, bounds.Low.Value, bounds.High.Value, $"{_commands.Topic} [{_partition}]");
            Report(place, _due);
            return place.Start;
        }
        catch (UnexpectedLogException cut)
        {
            Halt(cut);
            return null;
        }
    }

    // The group's offset counts unless what stands in the log says more.
    private void GoOn(PartitionPosition? recorded)
    {
        InputMark? ofRecord = recorded is null ? null : new InputMark(TopicIdentities.From(recorded).Commands, recorded.NextCommandOffset);
        Offset offset = _context.Consumer.Committed([_commands], TransactionCallTimeout)[0].Offset;
        long? committed = offset.IsSpecial ? null : offset.Value;
        WatermarkOffsets bounds = PartitionOffsets.Query(_context.Consumer, _commands, TransactionCallTimeout, _stop.Token);
        InputPosition place = InputPosition.Find(_topics.Commands, [_store!.Input, ofRecord], committed, bounds.Low.Value, bounds.High.Value, $"{_commands.Topic} [{_partition}]");
        Report(place, committed);
        // A version before has decided here without a mark, and its group's offset is gone: what it decided is known by the ids that it gave.
        _oldIdsBefore = place.Reason == InputPositionReason.FirstStart && _store.Checkpoint > 0 ? bounds.High.Value : 0;
        _input = new InputMark(_topics.Commands, place.Start);
        bool isKnown = InputMark.Farthest(_topics.Commands, _store.Input, ofRecord) == _input;
        if (!isKnown || recorded is null || TopicIdentities.From(recorded) != KeptTopics with { Snapshots = default })
            CommitOwn(() => _writer.WritePosition(KeptTopics.At(_input.Next, _nextEventOffset)));
        _store.PutInput(_input);
        bool isOutside;
        lock (_topicsLock)
            (_isPlaced, isOutside) = (true, _isOutside);
        if (committed == place.Start && !isOutside)
            Interlocked.CompareExchange(ref _due, place.Start, 0); // the consumer has begun there
        else
            Begin(place.Start, committed is not null);
    }

    // Where nothing is committed the consumer has not begun anywhere, and nobody needs to wait for it.
    private void Begin(long offset, bool hasBegunElsewhere)
    {
        _restarted.Reset();
        _context.Reposition(this, offset);
        if (hasBegunElsewhere)
            _restarted.Wait(_stop.Token);
    }

    private void Report(InputPosition place, long? committed)
    {
        switch (place.Reason)
        {
            case InputPositionReason.CommittedMissing when place.Due == 0:
                break; // commands have come by the direct door alone
            case InputPositionReason.CommittedMissing or InputPositionReason.CommittedBehind:
                LogResumed(_commands.Topic, _partition, committed is { } offset ? $"is {offset}" : "is gone", place.Due);
                ProcessingTelemetry.Resumed(_context.Topics);
                break;
            case InputPositionReason.CommittedAhead:
                LogAhead(_commands.Topic, _partition, place.Due);
                break;
            case InputPositionReason.TopicMadeAgain:
                LogCommandsMadeAgain(_commands.Topic, _topics.Commands, _partition);
                break;
        }

        if (place.Lost == 0)
            return;
        LogLost(place.Lost, place.Due, place.Start - 1, _commands.Topic, _partition);
        ProcessingTelemetry.Lost(_context.Topics, _partition, place.Lost);
    }

    // Batches without events leave their mark in the snapshots topic; the next event has it too, whichever door it came by: with the snapshots gone, the events alone say what is decided.
    private InputMark? MarkOfEvents(InputMark? input) => input ?? (_isInputInEvents ? null : _input);

    private void Decided(InputMark? input, int events)
    {
        if (input is { } mark)
            _store!.PutInput(_input = mark);
        _isInputInEvents = events > 0 || (_isInputInEvents && input is null);
    }

    private TopicId TopicOf(ConsumeResult<byte[], byte[]> record) => record.Offset.Value < _oldIdsBefore ? default : _topics.Commands;

    private SnapshotBarrier BarrierOf(int aggregates) => new()
    {
        NextEventOffset = _nextEventOffset,
        Aggregates = aggregates,
        Time = _context.Time.GetUtcNow(),
        TotalAggregates = _store!.Aggregates,
        Position = KeptTopics.At(_input.Next, _nextEventOffset),
    };

    // After an abort: the end of the log that this task is the only one to write to does not go back.
    private void CheckLog(long end)
    {
        KeptTopics.Check(TopicIdentities.Ask(_context, _stop.Token), _context.Topics, _partition, "the state");
        if (end < _nextEventOffset)
            throw new UnexpectedLogException(_events.Topic, $"The topic {_events.Topic} ends at offset {end} in partition {_partition}, and had {_nextEventOffset} before: it has lost events.");
    }

    // What whoever watches the topics has found.
    private void ActOnTopics()
    {
        if (Volatile.Read(ref _unexpected) is { } reason)
            throw reason;
        TopicId snapshots;
        lock (_topicsLock)
            (snapshots, _newSnapshots) = (_newSnapshots, default);
        if (!snapshots.Differs(_topics.Snapshots))
            return;
        LogSnapshotsMadeAgain(_context.Topics.Snapshots, _topics.Snapshots, snapshots, _partition);
        _topics = _topics with { Snapshots = snapshots };
        _store!.ChangeAll();
        _store.PutTopics(KeptTopics);
        TryWriteBarrier(null);
    }

    // The partition stays this node's, so that nobody else takes it for a new one. Whoever waits is told; nothing is decided.
    private void BeHalted(UnexpectedLogException reason)
    {
        HaltReason = $"{reason.Message} Nothing of the partition is decided or appended until an operator has acted.";
        Status = PartitionStatus.Halted;
        Interlocked.Exchange(ref _busySince, 0);
        ProcessingTelemetry.Halt(_context.Topics, _partition, true);
        LogHalted(_partition, _context.Definition.Name, reason.Message);
        _fenced.TrySetResult();
        _settled.TrySetResult();
        _fence.Close();
        ProcessingTelemetry.Unwatch(_context.Topics, _partition);
        GiveUpCallers();
        _stop.Token.WaitHandle.WaitOne();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The committed offset of {Topic} [{Partition}] {Committed}; the log says that its commands are decided up to {Mark}, and the partition goes on there")]
    private partial void LogResumed(string topic, int partition, string committed, long mark);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The committed offset of {Topic} [{Partition}] is {Committed}, beyond what the log says is decided: a version of this software without marks has decided it, or somebody has moved the group's offset. The partition goes on there")]
    private partial void LogAhead(string topic, int partition, long committed);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The topic {Topic} was made again and has the id {Id}; its commands of partition {Partition} are decided from the first on")]
    private partial void LogCommandsMadeAgain(string topic, TopicId id, int partition);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Lost} commands were deleted before they were decided, by retention or by hand: the offsets {First} to {Last} of {Topic} [{Partition}]. They have no effect and no answer")]
    private partial void LogLost(long lost, long first, long last, string topic, int partition);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The topic {Topic} had the id {Before} and has {Id}: it was made again. A barrier with all aggregates of partition {Partition} is written")]
    private partial void LogSnapshotsMadeAgain(string topic, TopicId before, TopicId id, int partition);

    [LoggerMessage(Level = LogLevel.Error, Message = "Partition {Partition} of {Aggregate} is halted: {Reason} Nothing of it is decided or appended until an operator has acted")]
    private partial void LogHalted(int partition, string aggregate, string reason);
}
