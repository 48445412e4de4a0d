using System.Text;
using KafkaEventSourcing.EventLog;
using Streamiz.Kafka.Net.Processors.Public;
using Streamiz.Kafka.Net.State;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Folds events into the snapshots of one task, guarded by version: an event that comes again, after a crash or an aborted transaction,
/// changes no state. Its state is written again all the same: the transaction that wrote it to the changelog may be the one that was
/// aborted, and the store was not rolled back with it.
/// </summary>
internal sealed class SnapshotFold : ITransformer<string, SourceRecord, string, SnapshotChange>
{
    /// <summary>The key of the mark that says up to which event aggregates were dropped. No aggregate id starts with a zero byte.</summary>
    internal static readonly byte[] DroppedKey = [0, .. "dropped"u8];

    /// <summary>The key of the newest <see cref="SnapshotMark"/>.</summary>
    internal static readonly byte[] MarkKey = [0, .. "mark"u8];

    // What a node that restores folds more than it must.
    private const int MarkEvery = 1_000;

    private readonly SnapshotPart? _part;
    private readonly StreamEnvironment? _environment;
    private IKeyValueStore<byte[], Snapshot?>? _store;
    private ProcessorContext<string, SnapshotChange>? _context;
    private int _sinceMark = MarkEvery; // the first event has one

    /// <summary>Streamiz makes one of these, and never uses it.</summary>
    public SnapshotFold()
    {
    }

    /// <summary>Folds <paramref name="part"/>.</summary>
    public SnapshotFold(SnapshotPart part, StreamEnvironment environment) => (_part, _environment) = (part, environment);

    /// <inheritdoc/>
    public void Init(ProcessorContext<string, SnapshotChange> context)
    {
        _context = context;
        var table = (StateTable<Snapshot>)context.GetStateStore(_part!.Store);
        _environment!.Assignment.Opened(_part.Store, context.Id.Partition, table);
        _store = table;
    }

    /// <inheritdoc/>
    public Record<string, SnapshotChange>? Process(Record<string, SourceRecord> record)
    {
        Record<string, SnapshotChange>? change = Take(record);
        if (_environment!.SnapshotTopics.TryGetValue(_part!.Store, out (string Events, string Snapshots) topics)
            && ++_sinceMark >= MarkEvery)
        {
            _store!.Put(MarkKey, MarkAt(record.Value, topics.Events, topics.Snapshots));
            _sinceMark = 0;
        }

        return change;
    }

    private Record<string, SnapshotChange>? Take(Record<string, SourceRecord> record)
    {
        SourceRecord source = record.Value;
        Snapshot? before = _store!.Get(source.Key);
        Snapshot? dropped = before is null ? MarkOfDropped(source) : null;
        if (dropped is not null || source.Head.Version <= before?.Version)
        {
            _environment!.Telemetry.SkippedRepeat(_part!.Store);
            if (dropped is not null)
                Drop(source.Key, dropped);
            else
                _store.Put(source.Key, before);
            return Change(record, new SnapshotChange(source, before, before));
        }

        if (source.Head.Version != (before?.Version ?? 0) + 1)
            return source.IsDiscarded ? null : throw Gap(source, before); // one that was not due was put aside for that
        Snapshot after = Fold(source, before);
        if (_part!.DropWhen?.Invoke(after.State!) != true)
        {
            _store.Put(source.Key, after);
            return Change(record, new SnapshotChange(source, before, after));
        }

        Drop(source.Key, new Snapshot
        {
            Version = 0, Partition = source.Partition, Offset = source.Offset, Time = source.Head.Time, Commands = [], State = null,
        });
        return Change(record, new SnapshotChange(source, before, null));
    }

    /// <inheritdoc/>
    public void Close()
    {
        // The table is Streamiz'.
    }

    private static Record<string, SnapshotChange> Change(Record<string, SourceRecord> record, SnapshotChange change) =>
        Record<string, SnapshotChange>.Create(record.Key, change, record.Headers);

    // The mark first: without it, what comes again of the aggregate would be a gap.
    private void Drop(byte[] key, Snapshot mark)
    {
        _store!.Put(DroppedKey, mark);
        _store.Delete(key);
    }

    // Null: no aggregates were dropped up to the event.
    private Snapshot? MarkOfDropped(SourceRecord source) =>
        _part!.DropWhen is not null && _store!.Get(DroppedKey) is { } mark && source.Offset <= mark.Offset ? mark : null;

    private Snapshot Fold(SourceRecord source, Snapshot? before)
    {
        object state = before?.State ?? _part!.Aggregate.InitialState;
        for (int part = 0; part < source.Stored.Count; part++)
            state = _part!.Aggregate.Evolve(state, source.Stored[part].Payload);
        return new Snapshot
        {
            Version = source.Head.Version,
            Partition = source.Partition,
            Offset = source.Offset,
            Time = source.Head.Time,
            Commands = CommandsAfter(before?.Commands ?? [], source),
            State = state,
        };
    }

    // Several events of one command are one entry, as of its last event.
    private IReadOnlyList<SnapshotCommand> CommandsAfter(IReadOnlyList<SnapshotCommand> before, SourceRecord source)
    {
        int limit = _part!.Options.RecentCommands;
        if (limit == 0)
            return [];
        var last = new SnapshotCommand(source.Head.CommandId.Value, source.Head.Version, source.Offset,
            CloudEventHeaders.Find(source.Headers, SnapshotCommand.Header) is { } digest ? Encoding.UTF8.GetString(digest) : "");
        return RecentCommands.Of(before).And(last, limit);
    }

    // After an abort it goes back with the events that come again, as it has to: what was written with them is not committed.
    private Snapshot MarkAt(SourceRecord source, string events, string snapshots)
    {
        int commands = _part!.Options.RecentCommands;
        SnapshotMark before = _store!.Get(MarkKey)?.Mark ?? new SnapshotMark(events, snapshots, source.Offset, commands);
        return new Snapshot
        {
            Version = 0,
            Partition = source.Partition,
            Offset = source.Offset,
            Time = source.Head.Time,
            Commands = [],
            State = null,
            Mark = before.Next(events, snapshots, commands) ?? throw new StreamStateException(
                $"{_part.Store} has the events of another topic than {_context!.Topic}, or was written to another changelog: one of them "
                    + $"was deleted and made again. Reset the streams '{_environment!.Definition}', so that they fold again."),
        };
    }

    private StreamStateException Gap(SourceRecord source, Snapshot? before)
    {
        string place = $"{_context!.Topic} {source.Partition}@{source.Offset}";
        long begin = _environment!.BeginOf(_context.Topic, source.Partition);
        string what = $"The event {place} is version {source.Head.Version} of the aggregate '{source.Head.AggregateId}', and "
            + (before is null ? $"{_part!.Store} has none of its events" : $"{_part!.Store} has its events up to version {before.Version}");
        return new StreamStateException(begin > 0 && before is null
            ? $"{what}: the topic begins at offset {begin}, those before it were deleted. A fold begins with the first event; streams "
                + $"that are to have it must read it before it is archived."
            : $"{what}: events between are missing, or the store is of another log. Look at the topic; when it is whole, reset the streams "
                + $"'{_environment.Definition}', so that they fold again.");
    }
}

/// <summary>What an event has done to a snapshot.</summary>
/// <param name="Source">The event.</param>
/// <param name="Before">The snapshot before it; null: there was none, or it is dropped.</param>
/// <param name="After">The snapshot after it, the same object when the event had come before; null: it was dropped.</param>
internal sealed record SnapshotChange(SourceRecord Source, Snapshot? Before, Snapshot? After);
