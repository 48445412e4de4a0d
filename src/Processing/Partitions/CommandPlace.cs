using Confluent.Kafka;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Where a partition task is in its command topic, and whether its topics are those that it left. The task's thread decides; the consumer's
/// thread and whoever watches the topics say what they have found.
/// </summary>
internal sealed partial class CommandPlace(PartitionContext context, int partition) : IDisposable
{
    private readonly TopicPartition _commands = new(context.Topics.Commands, partition);
    private readonly ILogger _logger = context.Logger;
    private readonly ManualResetEventSlim _restarted = new();
    private readonly Lock _lock = new();
    private ParkedAggregates _parked = null!;
    private bool _isInputInEvents;
    private long _due; // of the consumer's thread: the offset of the next command
    private long _oldIdsBefore;
    private volatile bool _isPlaced;
    private bool _isOutside; // under the lock: the consumer has begun where there is nothing
    private UnexpectedLogException? _unexpected;
    private TopicId _newSnapshots; // of whoever watches the topics, under the lock

    public int Partition => partition;

    /// <summary>The topics that the task has found.</summary>
    public TopicIdentities Topics { get; private set; } = null!;

    /// <summary>The topics that the state was made from; null before they are known. Thread-safe.</summary>
    public TopicIdentities? Known => _isPlaced ? KeptTopics : null;

    /// <summary>Of the topics those that what is stored rests on.</summary>
    public TopicIdentities KeptTopics => Topics.With(_parked.HasDeadLetters);

    /// <summary>How far the commands are decided.</summary>
    public InputMark Input { get; private set; }

    /// <summary>The restore begins: the topics are what they are now.</summary>
    public void Begin(TopicIdentities topics, ParkedAggregates parked) => (Topics, _parked) = (topics, parked);

    /// <summary>
    /// Of the consumer's thread: whether the command at <paramref name="offset"/> is due; the one behind it is the next then.
    /// </summary>
    public bool Take(long offset)
    {
        if (offset < _due)
            return false;
        _due = offset + 1;
        return true;
    }

    /// <summary>A topic is not the one that the task left; <see cref="ThrowIfUnexpected"/> says so.</summary>
    public void Halt(UnexpectedLogException reason) => Interlocked.CompareExchange(ref _unexpected, reason, null);

    /// <exception cref="UnexpectedLogException">A topic is not the one that the task left.</exception>
    public void ThrowIfUnexpected()
    {
        if (Volatile.Read(ref _unexpected) is { } reason)
            throw reason;
    }

    /// <summary>The snapshots topic has been made again, with another id.</summary>
    public void LoseSnapshots(TopicId now)
    {
        lock (_lock)
            _newSnapshots = now;
    }

    /// <summary>Takes over that the snapshots topic was made again, if it was: the next barrier must have all.</summary>
    public bool TakeNewSnapshots()
    {
        TopicId snapshots;
        lock (_lock)
            (snapshots, _newSnapshots) = (_newSnapshots, default);
        if (!snapshots.Differs(Topics.Snapshots))
            return false;
        LogSnapshotsMadeAgain(context.Topics.Snapshots, Topics.Snapshots, snapshots, partition);
        Topics = Topics with { Snapshots = snapshots };
        return true;
    }

    /// <summary>The consumer reads from <paramref name="offset"/> on; called by its thread.</summary>
    public void Restarted(long offset)
    {
        _due = offset;
        _restarted.Set();
    }

    /// <summary>
    /// The offset that is due is not in the command topic (any more); called by the consumer's thread. Returns where to go on; null: it is
    /// not known here yet, or there is none and the partition is halted.
    /// </summary>
    /// <exception cref="KafkaException">The topic was made again: whoever is assigned next begins with it.</exception>
    public long? Find(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (!_isPlaced)
            {
                _isOutside = true;
                return null;
            }
        }

        TopicIdentities now = TopicIdentities.Ask(context, cancellationToken);
        if (Topics.Commands.Differs(now.Commands))
            throw new KafkaException(new Error(ErrorCode.UnknownTopicOrPart, $"The topic {_commands.Topic} was deleted and made again."));
        WatermarkOffsets bounds = PartitionOffsets.Query(context.Consumer, _commands, PartitionTransactions.CallTimeout, cancellationToken);
        try
        {
            InputPosition place = InputPosition.Find(Topics.Commands, [new InputMark(Topics.Commands, _due)], _due, bounds.Low.Value,
                bounds.High.Value, $"{_commands.Topic} [{partition}]");
            Report(place, _due);
            return place.Start;
        }
        catch (UnexpectedLogException cut)
        {
            Halt(cut);
            return null;
        }
    }

    /// <summary>
    /// Goes on where the group's offset is, unless what is in the log says more; what is found is written where it is not yet.
    /// </summary>
    /// <param name="recorded">The newest position of the snapshots topic; null: there is none.</param>
    /// <param name="store">The state, which has its own mark.</param>
    /// <param name="nextEvent">The end of the events.</param>
    /// <param name="transactions">Those of the partition.</param>
    /// <param name="reposition">Has the consumer's thread begin at another offset.</param>
    /// <param name="cancellationToken">Ends the waiting for it.</param>
    /// <exception cref="UnexpectedLogException">The command topic ends before what was decided already.</exception>
    public void GoOn(PartitionPosition? recorded, StateStore store, long nextEvent, PartitionTransactions transactions,
        Action<long> reposition, CancellationToken cancellationToken)
    {
        InputMark? ofRecord = recorded is null ? null : new InputMark(TopicIdentities.From(recorded).Commands, recorded.NextCommandOffset);
        Offset offset = context.Consumer.Committed([_commands], PartitionTransactions.CallTimeout)[0].Offset;
        long? committed = offset.IsSpecial ? null : offset.Value;
        WatermarkOffsets bounds = PartitionOffsets.Query(context.Consumer, _commands, PartitionTransactions.CallTimeout, cancellationToken);
        InputPosition place = InputPosition.Find(Topics.Commands, [store.Input, ofRecord], committed, bounds.Low.Value, bounds.High.Value,
            $"{_commands.Topic} [{partition}]");
        Report(place, committed);
        // A version before has decided here without a mark, and its group's offset is gone: what it decided is known by the ids that it
        // gave.
        _oldIdsBefore = place.Reason == InputPositionReason.FirstStart && store.Checkpoint > 0 ? bounds.High.Value : 0;
        Input = new InputMark(Topics.Commands, place.Start);
        bool isKnown = InputMark.Farthest(Topics.Commands, store.Input, ofRecord) == Input;
        if (!isKnown || recorded is null || TopicIdentities.From(recorded) != KeptTopics with { Snapshots = default })
            transactions.Run(() => transactions.Writer.WritePosition(KeptTopics.At(Input.Next, nextEvent)));
        store.PutInput(Input);
        bool isOutside;
        lock (_lock)
            (_isPlaced, isOutside) = (true, _isOutside);
        if (committed == place.Start && !isOutside)
        {
            Interlocked.CompareExchange(ref _due, place.Start, 0); // the consumer has begun there
            return;
        }

        _restarted.Reset();
        reposition(place.Start);
        // where nothing is committed the consumer has not begun anywhere, and nobody needs to wait for it
        if (committed is not null)
            _restarted.Wait(cancellationToken);
    }

    /// <summary>
    /// The mark of a batch's last event. Batches without events leave theirs in the snapshots topic; the next event has it too, whichever
    /// way it came: with the snapshots gone, the events alone say what is decided.
    /// </summary>
    public InputMark? MarkOfEvents(InputMark? input) => input ?? (_isInputInEvents ? null : Input);

    /// <summary>A batch with <paramref name="events"/> events is committed.</summary>
    public void Decided(InputMark? input, int events)
    {
        if (input is { } mark)
            Input = mark;
        _isInputInEvents = events > 0 || (_isInputInEvents && input is null);
    }

    /// <summary>The id of the topic that gives a command without an id its own.</summary>
    public TopicId TopicOf(ConsumeResult<byte[], byte[]> record) => record.Offset.Value < _oldIdsBefore ? default : Topics.Commands;

    /// <summary>Compares the topics that are there now with those that the state was made from.</summary>
    /// <exception cref="UnexpectedLogException">One was made again.</exception>
    public void CheckTopics(CancellationToken cancellationToken) =>
        KeptTopics.Check(TopicIdentities.Ask(context, cancellationToken), context.Topics, partition, "the state");

    public void Dispose() => _restarted.Dispose();

    private void Report(InputPosition place, long? committed)
    {
        switch (place.Reason)
        {
            case InputPositionReason.CommittedMissing when place.Due == 0:
                break; // commands have come by the direct door alone
            case InputPositionReason.CommittedMissing or InputPositionReason.CommittedBehind:
                LogResumed(_commands.Topic, partition, committed is { } offset ? $"is {offset}" : "is gone", place.Due);
                ProcessingTelemetry.Resumed(context.Topics);
                break;
            case InputPositionReason.CommittedAhead:
                LogAhead(_commands.Topic, partition, place.Due);
                break;
            case InputPositionReason.TopicMadeAgain:
                LogCommandsMadeAgain(_commands.Topic, Topics.Commands, partition);
                break;
        }

        if (place.Lost == 0)
            return;
        LogLost(place.Lost, place.Due, place.Start - 1, _commands.Topic, partition);
        ProcessingTelemetry.Lost(context.Topics, partition, place.Lost);
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The committed offset of {Topic} [{Partition}] {Committed}; the log says that its commands are decided up to {Mark}, "
            + "and the partition goes on there")]
    private partial void LogResumed(string topic, int partition, string committed, long mark);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The committed offset of {Topic} [{Partition}] is {Committed}, beyond what the log says is decided: a version of this "
            + "software without marks has decided it, or somebody has moved the group's offset. The partition goes on there")]
    private partial void LogAhead(string topic, int partition, long committed);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The topic {Topic} was made again and has the id {Id}; its commands of partition {Partition} are decided from the first "
            + "on")]
    private partial void LogCommandsMadeAgain(string topic, TopicId id, int partition);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "{Lost} commands were deleted before they were decided, by retention or by hand: the offsets {First} to {Last} of "
            + "{Topic} [{Partition}]. They have no effect and no answer")]
    private partial void LogLost(long lost, long first, long last, string topic, int partition);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The topic {Topic} had the id {Before} and has {Id}: it was made again. A barrier with all aggregates of partition "
            + "{Partition} is written")]
    private partial void LogSnapshotsMadeAgain(string topic, TopicId before, TopicId id, int partition);
}
