using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>An aggregate whose records wait.</summary>
/// <param name="Cause">What is wrong with the first of them: a stable name.</param>
/// <param name="Message">The same for a person.</param>
/// <param name="Since">When it was parked.</param>
/// <param name="FirstOffset">An offset of the dead-letters topic at or before its first letter.</param>
/// <param name="Records">How many wait.</param>
/// <param name="BrokenAt">Offset of the event that cannot be folded; -1: its state is that of all its events.</param>
/// <param name="Commands">The ids of the commands that wait.</param>
internal sealed record ParkedAggregate(string Cause, string Message, DateTimeOffset Since, long FirstOffset, long Records, long BrokenAt,
    ImmutableHashSet<CommandId> Commands);

/// <summary>
/// The parked aggregates of one partition: the fold of its dead letters, read at each restore, so that no store has to remember them. The
/// partition task's thread writes, any thread reads.
/// </summary>
internal sealed class ParkedAggregates
{
    private readonly ConcurrentDictionary<AggregateId, ParkedAggregate> _parked = [];
    // records of the events topic that are not events, or were discarded, and hold nobody up
    private volatile ImmutableHashSet<long> _passedOver = [];
    private readonly List<(AggregateId Aggregate, long Event, long FoldedTo)> _mended = [];
    private readonly TopicFamily _topics;
    private readonly TimeProvider _time;
    private long _end;
    private long _unkeyed;
    private long _records;

    public ParkedAggregates(TopicFamily topics, int partition, TimeProvider time) =>
        (_topics, Partition, _time) = (topics, partition, time);

    public int Partition { get; }

    public TopicFamily Topics => _topics;

    public DateTimeOffset Now => _time.GetUtcNow();

    /// <summary>How many aggregates are parked.</summary>
    public int Count => _parked.Count;

    /// <summary>Whether the state of any aggregate ends before an event.</summary>
    public bool HasBroken => _parked.Values.Any(p => p.BrokenAt >= 0);

    /// <summary>Whether any event of an aggregate was ever put aside, and waits, was folded later, or was discarded.</summary>
    public bool HasHadEvents => HasBroken || _mended.Count > 0;

    /// <summary>How many records wait, those without an aggregate included.</summary>
    public long Records => Interlocked.Read(ref _records) + Interlocked.Read(ref _unkeyed);

    /// <summary>Whether the topic has letters, waiting or settled.</summary>
    public bool HasDeadLetters => _end > 0 || Records > 0;

    /// <summary>Folds all letters of the partition.</summary>
    public void Load(DeadLetterReader reader, Action<string> foreign, CancellationToken cancellationToken)
    {
        IReadOnlyCollection<DeadLetter> letters = reader.Read(Partition, 0, withResolved: true, foreign, cancellationToken);
        foreach (DeadLetter unkeyed in letters.Where(l => l.AggregateId.IsDefault))
        {
            if (unkeyed.OriginTopic == _topics.Events)
                _passedOver = _passedOver.Add(unkeyed.OriginOffset);
            if (unkeyed.Resolution is null)
                _unkeyed++;
        }

        foreach (DeadLetter settled in letters.Where(l =>
            !l.AggregateId.IsDefault && l.OriginTopic == _topics.Events && l.Resolution is not null))
        {
            if (settled.Resolution!.IsDiscarded)
                _passedOver = _passedOver.Add(settled.OriginOffset);
            _mended.Add((settled.AggregateId, settled.OriginOffset, settled.Resolution.FoldedTo ?? settled.OriginOffset));
        }

        foreach (IGrouping<AggregateId, DeadLetter> waiting in letters.Where(l => !l.AggregateId.IsDefault && l.Resolution is null).GroupBy(
            l => l.AggregateId))
            Set(waiting.Key, [.. waiting]);
        _end = letters.Count == 0 ? 0 : letters.Last().Offset + 1;
    }

    /// <summary>
    /// Whether <paramref name="store"/> has passed over an event that was folded later, on another node, or events behind a record that was
    /// discarded later: its aggregate is short there.
    /// </summary>
    public bool HasMissedRepair(StateStore store) =>
        _mended.Exists(m => store.Checkpoint > m.Event && (store.Load(m.Aggregate)?.EventOffset ?? -1) < m.FoldedTo);

    /// <summary>Whether the aggregate is parked, and how.</summary>
    public bool TryGet(AggregateId id, [NotNullWhen(true)] out ParkedAggregate? parked)
    {
        parked = null;
        return !_parked.IsEmpty && _parked.TryGetValue(id, out parked);
    }

    /// <summary>The letters of an aggregate as they are now.</summary>
    public IReadOnlyList<DeadLetter> LettersOf(AggregateId id, DeadLetterReader reader, Action<string> foreign,
        CancellationToken cancellationToken) =>
        TryGet(id, out ParkedAggregate? parked)
            ? [.. reader.Read(Partition, parked.FirstOffset, withResolved: false, foreign, cancellationToken).Where(l =>
                l.AggregateId == id)]
            : [];

    /// <summary>Takes the letters that an aggregate has still; with none it is not parked any more.</summary>
    public void Set(AggregateId id, IReadOnlyList<DeadLetter> letters)
    {
        Interlocked.Add(ref _records, letters.Count - (TryGet(id, out ParkedAggregate? before) ? before.Records : 0));
        if (letters.Count == 0)
        {
            _parked.TryRemove(id, out _);
            return;
        }

        DeadLetter? broken = letters.FirstOrDefault(l => l.OriginTopic == _topics.Events);
        DeadLetter first = broken ?? letters[0];
        _parked[id] = new ParkedAggregate(first.Cause, first.Message, letters[0].ParkedAt, letters[0].Offset, letters.Count,
            broken?.OriginOffset ?? -1, [.. letters.Where(l => l.OriginTopic != _topics.Events).Select(l => l.CommandId)]);
    }

    /// <summary>A command of the aggregate has been parked.</summary>
    public void Add(AggregateId id, CommandId command, string cause, string message)
    {
        Interlocked.Increment(ref _records);
        _parked.AddOrUpdate(id, _ => new ParkedAggregate(cause, message, Now, _end, 1, -1, [command]),
            (_, parked) => parked with { Records = parked.Records + 1, Commands = parked.Commands.Add(command) });
    }

    /// <summary>A record without aggregate has been put aside, or discarded (<paramref name="by"/> -1).</summary>
    public void AddUnkeyed(int by) => Interlocked.Add(ref _unkeyed, by);

    /// <summary>An event cannot be folded; the state of its aggregate ends before it.</summary>
    public void Break(AggregateId id, long eventOffset, string cause, string message)
    {
        Interlocked.Increment(ref _records);
        _parked.AddOrUpdate(id,
            _ => new ParkedAggregate(cause, message, Now, _end, 1, eventOffset, []),
            (_, parked) => parked with { Cause = cause, Message = message, Records = parked.Records + 1, BrokenAt = eventOffset });
    }

    /// <summary>A record of the events topic that belongs to no aggregate has been put aside.</summary>
    public void AddUnkeyedEvent(long offset)
    {
        PassOver(offset);
        AddUnkeyed(1);
    }

    /// <summary>A record of the events topic that is not an event has been discarded.</summary>
    public void PassOver(long offset) => _passedOver = _passedOver.Add(offset);

    /// <summary>Whether a record of the events topic has no effect on any state: it was discarded, or belongs to no aggregate.</summary>
    public bool IsPassedOver(long offset) => _passedOver is { IsEmpty: false } passedOver && passedOver.Contains(offset);

    /// <summary>Whether an event is put aside already, or waits behind one of its aggregate that is.</summary>
    public bool HoldsEvent(byte[]? key, long offset) =>
        IsPassedOver(offset)
        || (!_parked.IsEmpty
            && DeadLetterFormat.AggregateOf(key) is { IsDefault: false } id
            && TryGet(id, out ParkedAggregate? parked)
            && parked.BrokenAt >= 0
            && parked.BrokenAt <= offset);

    /// <summary>What a caller learns of a parked aggregate.</summary>
    public string Told(AggregateId id, string message, DateTimeOffset since, bool isQueued) => string.Create(CultureInfo.InvariantCulture,
        $"The {_topics.Aggregate} '{id}' is parked since {since.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}: {message} ") + (isQueued
            ? "The command is kept in its place and is decided when an operator has its aggregate processed again; send the same id then "
                + "to learn its outcome. "
            : "The command was not taken. ")
        + $"An operator sees why with 'kes dead-letters "
        + $"list {_topics.Application}.{_topics.Aggregate}', and ends it with 'retry' or 'discard'.";
}
