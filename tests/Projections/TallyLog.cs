using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Projections.Tests;

/// <summary>
/// An event log in memory, and the reader of a node: it hands batches over as a subscription does, and begins a partition again when the
/// engine needs it.
/// </summary>
internal sealed class TallyLog(int partitions) : IEventLogExtents
{
    private const int BatchEvents = 7;

    private readonly List<RecordedEvent>[] _events = [.. Enumerable.Range(0, partitions).Select(_ => new List<RecordedEvent>())];

    public string? TopicId { get; set; } = "first";

    public long Start { get; set; }

    public int Partitions => partitions;

    /// <summary>Where the log ended when it is asked next, and not any more when it is asked again; null: where it ends.</summary>
    public long? EndedBefore { get; set; }

    public Task<EventLogExtent> ExtentAsync(CancellationToken cancellationToken)
    {
        long? before = EndedBefore;
        EndedBefore = null;
        return Task.FromResult(new EventLogExtent(TopicId,
            Enumerable.Range(0, partitions).ToDictionary(p => p, p => new PartitionExtent(Start, before ?? _events[p].Count))));
    }

    /// <summary>Another log of the same name: nothing is in it.</summary>
    public void Truncate(int events)
    {
        foreach (List<RecordedEvent> partition in _events)
            partition.RemoveRange(Math.Min(events, partition.Count), Math.Max(0, partition.Count - events));
    }

    public void Append(int partition, int events)
    {
        for (int i = 0; i < events; i++)
        {
            int offset = _events[partition].Count;
            _events[partition].Add(Tally.Event(partition, offset, $"a{partition}-{offset % 5}", (offset / 5) + 1, new Added(offset + 1)));
        }
    }

    /// <summary>A reader that has not begun.</summary>
    public TallyReader Reader(ProjectionEngine engine) => new(this, engine);

    public IReadOnlyList<RecordedEvent> From(int partition, long offset) =>
        _events[partition].GetRange((int)offset, Math.Min(BatchEvents, _events[partition].Count - (int)offset));

    public long End(int partition) => _events[partition].Count;
}

internal sealed class TallyReader
{
    private readonly TallyLog _log;
    private readonly ProjectionEngine _engine;
    private readonly long?[] _next;

    public TallyReader(TallyLog log, ProjectionEngine engine)
    {
        (_log, _engine) = (log, engine);
        _next = new long?[log.Partitions];
        engine.Behind += partition => _next[partition] = null;
    }

    /// <summary>Reads all partitions up to their ends.</summary>
    public async Task Read(CancellationToken cancellationToken)
    {
        while (Enumerable.Range(0, _log.Partitions).Any(p => _next[p] != _log.End(p)))
        {
            for (int partition = 0; partition < _log.Partitions; partition++)
                await Read(partition, cancellationToken);
        }
    }

    private async Task Read(int partition, CancellationToken cancellationToken)
    {
        long from = _next[partition] ??= await _engine.StartOfAsync(partition, cancellationToken) ?? 0;
        if (from >= _log.End(partition))
            return;
        IReadOnlyList<RecordedEvent> events = _log.From(partition, from);
        try
        {
            await _engine.ProjectAsync(partition, from, events, from + events.Count, cancellationToken);
            _next[partition] = from + events.Count;
        }
        catch (EventsNeededAgainException)
        {
            _next[partition] = null;
        }
    }
}
