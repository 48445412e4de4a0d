using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Projections.MongoDB;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Hosting.Verification;

/// <summary>
/// Folds all events once more, apart from everything that is stored, and compares: versions without gap, the state stores, the read models.
/// The node must be at rest: no command may come in meanwhile. All aggregates' states must fit in memory.
/// </summary>
public sealed class Verifier
{
    private const int MaxReported = 20;
    private const int BatchEvents = 5_000;
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    private readonly EventSourcedNode _node;
    private readonly AggregateNode _aggregate;
    private readonly Dictionary<AggregateId, (long Version, object State)> _folded = [];
    private readonly HashSet<AggregateId> _unknown = []; // of which an event cannot be read: their state cannot be compared
    private readonly List<string> _differences = [];
    private long _differenceCount;
    private long _events;

    /// <summary>A verifier of one aggregate type of <paramref name="node"/>.</summary>
    public Verifier(EventSourcedNode node, AggregateNode aggregate) => (_node, _aggregate) = (node, aggregate);

    /// <summary>Events read so far.</summary>
    public long EventsRead => Interlocked.Read(ref _events);

    /// <summary>
    /// Completes when this node has all partitions and serves them: state stores that other nodes hold cannot be compared.
    /// </summary>
    /// <param name="patience">How long others, which may be gone and not missed yet, may take to leave.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="TimeoutException">Others have partitions still; the message names them.</exception>
    public async Task WaitForAllPartitionsAsync(TimeSpan patience, TimeProvider timeProvider, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(timeProvider);
        long started = timeProvider.GetTimestamp();
        int partitions = (await _aggregate.History.EndOffsetsAsync(cancellationToken).ConfigureAwait(false)).Count;
        using var timer = new PeriodicTimer(Look, timeProvider);
        while (_aggregate.Processor.Partitions.Count < partitions || !_aggregate.Processor.IsReady)
        {
            if (timeProvider.GetElapsedTime(started) > patience)
            {
                string[] others = [.. _aggregate.Owners.All().Where(o =>
                    o.Node != _aggregate.Processor.NodeId && _aggregate.Processor.StatusOf(o.Partition) is null).Select(o => o.Node)
                    .Distinct().Order(StringComparer.Ordinal)];
                throw new TimeoutException(
                    $"{_aggregate.Processor.Partitions.Count} of the {partitions} partitions "
                        + $"of {_aggregate.Topics.Application}.{_aggregate.Topics.Aggregate} are on this node; the others are "
                        + $"on {string.Join(", ", others.DefaultIfEmpty("other nodes"))}. "
                    + "Verifying compares all state stores: end the other nodes first.");
            }

            await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Reads, folds and compares. For one call.</summary>
    public async Task<VerificationReport> RunAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            await _aggregate.WaitForReadModelsAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (ReadModelsStoppedException stopped)
        {
            Differ(stopped.Message);
        }

        // A read model of several aggregate types is compared with the first of them.
        ApplicationDefinition application = _node.Application;
        ProjectionDefinition[] projections = [.. application.Projections.Where(p =>
            application.AggregatesOf(p)[0] == _aggregate.Definition)];
        var comparison = new ReadModelComparison(_node.ReadModelStore, application.SharedReadModels());
        ProjectionEngine engine = EngineOf(_aggregate, projections, comparison);
        await using (engine.ConfigureAwait(false))
        {
            foreach (int partition in (await _aggregate.History.EndOffsetsAsync(cancellationToken).ConfigureAwait(false)).Keys.Order())
                await FoldPartition(partition, engine, cancellationToken).ConfigureAwait(false);
        }

        foreach (AggregateNode other in _node.Aggregates.Where(a => a != _aggregate))
            await FoldOther(other, [.. projections.Where(p => application.AggregatesOf(p).Contains(other.Definition))], comparison,
                cancellationToken).ConfigureAwait(false);
        await comparison.FinishAsync(projections, cancellationToken).ConfigureAwait(false);
        await CompareStateStores(cancellationToken).ConfigureAwait(false);
        return new VerificationReport
        {
            Aggregate = _aggregate.Definition.Name,
            Events = EventsRead,
            Aggregates = _folded.Count,
            Documents = comparison.Compared,
            DifferenceCount = _differenceCount + comparison.DifferenceCount,
            Differences = [.. _differences, .. comparison.Differences],
        };
    }

    private ProjectionEngine EngineOf(AggregateNode aggregate, IReadOnlyList<ProjectionDefinition> projections,
        ReadModelComparison comparison) =>
        new(projections, comparison, new ProjectionEngineOptions(), NullLogger<ProjectionEngine>.Instance,
            feed: new ProjectionFeed(aggregate.Definition.Name, _node.Application.SharedReadModels(),
                new Dictionary<string, IEventLogExtents>()));

    // The events of another aggregate type, for the read models that both are folded into. What is wrong with them is told when that type
    // is verified.
    private async Task FoldOther(AggregateNode aggregate, IReadOnlyList<ProjectionDefinition> projections, ReadModelComparison comparison,
        CancellationToken cancellationToken)
    {
        if (projections.Count == 0)
            return;
        try
        {
            await aggregate.WaitForReadModelsAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (ReadModelsStoppedException stopped)
        {
            Differ(stopped.Message);
        }

        ProjectionEngine engine = EngineOf(aggregate, projections, comparison);
        await using (engine.ConfigureAwait(false))
        {
            foreach (int partition in (await aggregate.History.EndOffsetsAsync(cancellationToken).ConfigureAwait(false)).Keys.Order())
            {
                await Project(aggregate.History.ReadPartitionAsync(partition, 0, static _ => { }, cancellationToken), partition, engine,
                    static _ => { }, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private Task FoldPartition(int partition, ProjectionEngine engine, CancellationToken cancellationToken) =>
        Project(_aggregate.History.ReadPartitionAsync(partition, 0, PassOver, cancellationToken), partition, engine, Fold,
            cancellationToken);

    private static async Task Project(IAsyncEnumerable<RecordedEvent> events, int partition, ProjectionEngine engine,
        Action<RecordedEvent> seen, CancellationToken cancellationToken)
    {
        var batch = new List<RecordedEvent>(BatchEvents);
        long from = 0;
        await foreach (RecordedEvent recorded in events.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            seen(recorded);
            batch.Add(recorded);
            if (batch.Count >= BatchEvents && recorded.Part == recorded.Parts - 1) // what an event is upcast to is in one batch
            {
                await engine.ProjectAsync(partition, from, batch, recorded.Offset + 1, cancellationToken).ConfigureAwait(false);
                from = recorded.Offset + 1;
                batch = new List<RecordedEvent>(BatchEvents);
            }
        }

        if (batch.Count > 0)
            await engine.ProjectAsync(partition, from, batch, batch[^1].Offset + 1, cancellationToken).ConfigureAwait(false);
    }

    private void Fold(RecordedEvent recorded)
    {
        if (recorded.Part == 0)
            Interlocked.Increment(ref _events);
        (long version, object state) = _folded.TryGetValue(recorded.AggregateId, out (long, object) present)
            ? present
            : (0, _aggregate.Definition.InitialState);
        long due = recorded.Part == 0 ? version + 1 : version;
        if (recorded.Version != due)
            Differ($"{_aggregate.Definition.Name} {recorded.AggregateId}: the event at {recorded.Partition}@{recorded.Offset} has "
                + $"version {recorded.Version}, {due} was due.");
        _folded[recorded.AggregateId] = (recorded.Version, Evolve(recorded, state));
    }

    private object Evolve(RecordedEvent recorded, object state)
    {
        try
        {
            return _aggregate.Definition.Evolve(state, recorded.Payload);
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            _unknown.Add(recorded.AggregateId);
            Differ($"{_aggregate.Definition.Name} {recorded.AggregateId}: the event at {recorded.Partition}@{recorded.Offset} cannot be "
                + $"folded: {failure.Message}");
            return state;
        }
    }

    // What was discarded, or is read as no event, has its version and does nothing.
    private void PassOver(PassedOverEvent passed)
    {
        if (!passed.IsDiscarded)
            Interlocked.Increment(ref _events);
        if (!passed.IsDiscarded && !passed.IsEmpty)
        {
            _unknown.Add(passed.AggregateId);
            Differ(passed.Message);
        }

        if (passed.AggregateId.IsDefault)
            return;
        (long version, object state) = _folded.TryGetValue(passed.AggregateId, out (long, object) present)
            ? present
            : (0, _aggregate.Definition.InitialState);
        if (passed.Version == version + 1)
            _folded[passed.AggregateId] = (passed.Version, state);
    }

    private async Task CompareStateStores(CancellationToken cancellationToken)
    {
        var seen = new HashSet<AggregateId>(_folded.Count);
        await foreach (AggregateView view in _aggregate.Processor.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            seen.Add(view.AggregateId);
            if (_unknown.Contains(view.AggregateId))
                continue;
            if (!_folded.TryGetValue(view.AggregateId, out (long Version, object State) folded))
                Differ($"{_aggregate.Definition.Name} {view.AggregateId} is in a state store and has no events.");
            else if (folded.Version != view.Version)
                Differ($"{_aggregate.Definition.Name} {view.AggregateId} is at version {view.Version} in the state store "
                    + $"and {folded.Version} in the events.");
            else if (!folded.State.Equals(view.State))
                Differ($"{_aggregate.Definition.Name} {view.AggregateId} has the state {view.State} in the state store; its events "
                    + $"give {folded.State}.");
        }

        foreach (AggregateId missing in _folded.Keys.Where(id => !seen.Contains(id) && !_unknown.Contains(id)))
            Differ($"{_aggregate.Definition.Name} {missing} is in no state store of this node.");
    }

    private void Differ(string difference)
    {
        _differenceCount++;
        if (_differences.Count < MaxReported)
            _differences.Add(difference);
    }
}
