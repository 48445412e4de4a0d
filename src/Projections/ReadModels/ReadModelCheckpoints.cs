using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Projections;

/// <summary>What a node believes of one read model in one partition.</summary>
/// <param name="Build">The build that it writes for.</param>
/// <param name="NextOffset">The next offset to read; null at the start.</param>
/// <param name="TopicId">The id of the events topic; null when it is not known.</param>
internal sealed record KnownCheckpoint(Guid Build, long? NextOffset, string? TopicId);

/// <summary>
/// The checkpoints that this node believes in, and the judgement over those that are stored. A checkpoint moves forward from where it was
/// and in no other way: what vanished, went back, was changed by hand, or stands beside documents of another collection cannot be mended,
/// and the read model is built anew. A log that is not the one that was left stops the read model instead, whose documents may be all that
/// is left of it. Thread-safe.
/// </summary>
internal sealed partial class ReadModelCheckpoints(
    IProjectionStore store, IEventLogExtents? log, ProjectionFeed feed, ProjectionEngineOptions options, TimeProvider time, ILogger logger)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string ReadModel, int Partition), KnownCheckpoint> _known = [];
    private readonly Dictionary<string, ReadModelState> _states = [];

    /// <summary>What is not written, and why.</summary>
    public ReadModelStops Stops { get; } = new(feed);

    /// <summary>What was last seen; null when the partition was not looked at yet.</summary>
    public KnownCheckpoint? Find(string readModel, int partition)
    {
        lock (_lock)
            return _known.GetValueOrDefault((readModel, partition));
    }

    /// <summary>The partitions that were looked at.</summary>
    public IReadOnlyList<int> Partitions()
    {
        lock (_lock)
            return [.. _known.Keys.Select(k => k.Partition).Concat(Stops.All().Keys.Select(k => k.Partition)).Distinct().Order()];
    }

    /// <summary>After a commit.</summary>
    public async Task Moved(ProjectionDefinition projection, IReadOnlyList<CheckpointMove> moves, CancellationToken cancellationToken)
    {
        bool mayBeWhole = false;
        lock (_lock)
        {
            ReadModelState? state = _states.GetValueOrDefault(projection.Name);
            foreach (CheckpointMove move in moves)
            {
                _known[(move.Projection, move.Partition.Partition)] = new KnownCheckpoint(move.Build, move.To, move.TopicId);
                mayBeWhole |= state?.Build == move.Build
                    && state.Until.TryGetValue(move.Partition, out long until)
                    && move.To >= until
                    && !(move.From >= until);
            }
        }

        if (mayBeWhole)
            await CompleteIfWhole(projection, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Looks at what is stored, begins a new build where it is damaged, and says where to go on; null when the read model is stopped here.
    /// </summary>
    public async Task<KnownCheckpoint?> Examine(ProjectionDefinition projection, int partition, EventLogExtent? extent,
        CancellationToken cancellationToken)
    {
        while (true)
        {
            // Before the stored one is loaded: meanwhile it only moves on.
            KnownCheckpoint? believed = Find(projection.Name, partition);
            ReadModelState state = await UsableState(projection, cancellationToken).ConfigureAwait(false);
            if (!HasOurAggregates(projection, state))
            {
                string taken = $"The read model '{projection.Name}' is stopped: another release of the application keeps it, folded from "
                    + $"the events of {Named(state.Aggregates)} and not of {Named(feed.AggregatesOf(projection.Name))}. "
                    + "End the nodes of one of the two.";
                if (Stops.Set(projection.Name, partition, taken))
                    LogStopped(logger, taken);
                return null;
            }

            ReadModelCheckpoint? stored = await store.LoadCheckpointAsync(projection, feed.Of(projection.Name, partition),
                cancellationToken).ConfigureAwait(false);
            if (DamageOf(state, stored, believed, feed.Of(projection.Name, partition)) is { } damage)
            {
                await StartAnew(projection, new SeenReadModel(state.Build, feed.Of(projection.Name, partition), stored?.NextOffset), damage,
                    cancellationToken).ConfigureAwait(false);
                continue;
            }

            if (extent is null && Stops.Has(projection.Name, partition))
                return null;
            // The log that was looked at first may have grown since, and the checkpoint with it: what is wrong must be so of a log that is
            // looked at after the checkpoint.
            if (extent is not null && ReasonToStop(projection.Name, partition, stored, extent) is not null
                && await Extent(cancellationToken).ConfigureAwait(false) is { } since
                && ReasonToStop(projection.Name, partition, stored, since) is { } reason)
            {
                if (Stops.Set(projection.Name, partition, reason))
                    LogStopped(logger, reason);
                return null;
            }

            if (Stops.Clear(projection.Name, partition))
                LogGoesOn(logger, projection.Name, partition);
            var found = new KnownCheckpoint(state.Build, stored?.NextOffset, stored?.TopicId ?? extent?.TopicId);
            lock (_lock)
            {
                if (_known.TryGetValue((projection.Name, partition), out KnownCheckpoint? now)
                    && now != believed
                    && now.Build == found.Build
                    && (now.NextOffset ?? 0) > (found.NextOffset ?? 0))
                    return now;
                _known[(projection.Name, partition)] = found;
            }

            return found;
        }
    }

    /// <summary>The state of a read model whose documents and build belong together, begun where there is none.</summary>
    public async Task<ReadModelState> UsableState(ProjectionDefinition projection, CancellationToken cancellationToken)
    {
        Guid cleared = default;
        long since = 0;
        while (true)
        {
            ReadModelState? state = await store.LoadStateAsync(projection, cancellationToken).ConfigureAwait(false);
            if (state is { IsBeingCleared: true })
            {
                if (state.Build != cleared)
                    (cleared, since) = (state.Build, time.GetTimestamp());
                else if (time.GetElapsedTime(since) > options.ClearPatience)
                    await StartAnew(projection, new SeenReadModel(state.Build), "whoever began to build it anew is gone",
                        cancellationToken).ConfigureAwait(false);
                else
                    await Task.Delay(options.ClearPatience / 100, time, cancellationToken).ConfigureAwait(false);
                continue;
            }

            string? damage = state is null ? null : "its collection was dropped or replaced";
            if (state is { HasDocuments: true })
            {
                lock (_lock)
                {
                    if (HasOurAggregates(projection, state))
                        _states[projection.Name] = state;
                    // Two releases that both build it anew would never end. Whoever comes takes it, whoever is there gives way.
                    if (_states.ContainsKey(projection.Name))
                        return state;
                }

                damage = $"it is folded from the events of {Named(feed.AggregatesOf(projection.Name))}, and was from those "
                    + $"of {Named(state.Aggregates)}";
            }

            await StartAnew(projection, new SeenReadModel(state?.Build), damage, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Notes that a build is whole once all partitions have come as far as they had to.</summary>
    public async Task CompleteIfWhole(ProjectionDefinition projection, CancellationToken cancellationToken)
    {
        if (await store.LoadStateAsync(projection, cancellationToken).ConfigureAwait(false) is not { Until.Count: > 0,
            IsBeingCleared: false } state)
            return;
        foreach ((EventPartition partition, long until) in state.Until)
        {
            if (await store.LoadCheckpointAsync(projection, partition, cancellationToken).ConfigureAwait(false) is not { } checkpoint
                || checkpoint.Build != state.Build
                || checkpoint.NextOffset < until)
                return;
        }

        await store.CompleteAsync(projection, state.Build, cancellationToken).ConfigureAwait(false);
        LogWhole(logger, projection.Name);
    }

    /// <summary>The log's extent; null when there is none to ask, or it does not answer now.</summary>
    public async Task<EventLogExtent?> Extent(CancellationToken cancellationToken) =>
        log is null ? null : await Extent(log, cancellationToken).ConfigureAwait(false);

    private async Task<EventLogExtent?> Extent(IEventLogExtents of, CancellationToken cancellationToken)
    {
        try
        {
            return await of.ExtentAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (KafkaException away)
        {
            LogExtentUnknown(logger, away.Error.Reason);
            return null;
        }
    }

    private static string? DamageOf(ReadModelState state, ReadModelCheckpoint? stored, KnownCheckpoint? believed, EventPartition partition)
    {
        if (stored is not { } checkpoint)
        {
            return state.Partitions.Contains(partition) || (believed?.Build == state.Build && believed.NextOffset is not null)
                ? $"its checkpoint of partition {partition.Words} is gone" : null;
        }

        if (!checkpoint.IsGenuine || checkpoint.Build != state.Build)
            return $"its checkpoint of partition {partition.Words}, {checkpoint.NextOffset}, was changed by somebody else";
        return believed?.Build == state.Build && checkpoint.NextOffset < believed.NextOffset
            ? $"its checkpoint of partition {partition.Words} went back from {believed.NextOffset} to {checkpoint.NextOffset}" : null;
    }

    private string? ReasonToStop(string readModel, int partition, ReadModelCheckpoint? stored, EventLogExtent extent)
    {
        if (!extent.Partitions.TryGetValue(partition, out PartitionExtent log))
            return null;
        long next = stored?.NextOffset ?? 0;
        string? wrong = stored?.TopicId is { } id
            && extent.TopicId is { } now
            && id != now ? $"the events topic was made anew (its id is {now}, not {id})"
            : next > log.End ? $"the log ends at {log.End}, before its checkpoint {next}: it was cut or restored"
            : stored is not null && next < log.Start
            ? $"the log begins at {log.Start}, behind its checkpoint {next}: the events between them are gone"
            : null;
        if (wrong is null && next < log.Start)
            return $"The read model '{readModel}' is stopped in partition {feed.Of(readModel, partition).Words}: it has to be folded from "
                + $"the first event, and the log begins at {log.Start}.";
        return wrong is null ? null
            : $"The read model '{readModel}' is stopped in partition {feed.Of(readModel, partition).Words}: {wrong}. What is stored stays "
                + $"as it is; to fold it anew from this log, delete its documents '{readModel}' and '{readModel}/*' among the checkpoints.";
    }

    private async Task StartAnew(ProjectionDefinition projection, SeenReadModel seen, string? damage, CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<EventPartition, long> until = await Ends(projection.Name, cancellationToken).ConfigureAwait(false);
        if (damage is not null)
            LogDamaged(logger, projection.Name, damage);
        if (await store.StartAnewAsync(projection, seen, until, feed.AggregatesOf(projection.Name),
            cancellationToken).ConfigureAwait(false))
            LogStarted(logger, projection.Name);
    }

    // How far a new build has to come is decided once: it is waited for. All logs that it is folded from count, whoever reads them.
    private async Task<IReadOnlyDictionary<EventPartition, long>> Ends(string readModel, CancellationToken cancellationToken)
    {
        var ends = new Dictionary<EventPartition, long>();
        if (log is null)
            return ends;
        foreach ((string? aggregate, IEventLogExtents of) in feed.LogsOf(readModel, log))
        {
            EventLogExtent? extent;
            while ((extent = await Extent(of, cancellationToken).ConfigureAwait(false)) is null)
                await Task.Delay(options.CheckInterval, time, cancellationToken).ConfigureAwait(false);
            foreach ((int partition, PartitionExtent events) in extent.Partitions.Where(p => p.Value.End > p.Value.Start))
                ends.Add(new EventPartition(aggregate, partition), events.End);
        }

        return ends;
    }

    private bool HasOurAggregates(ProjectionDefinition projection, ReadModelState state) =>
        state.Aggregates.SetEquals(feed.AggregatesOf(projection.Name));

    private static string Named(IEnumerable<string> aggregates) =>
        aggregates.Any() ? string.Join(" and ", aggregates.Order(StringComparer.Ordinal)) : "one aggregate type";

    [LoggerMessage(Level = LogLevel.Error, Message = "The read model {ReadModel} is built anew: {Damage}")]
    private static partial void LogDamaged(ILogger logger, string readModel, string damage);

    [LoggerMessage(Level = LogLevel.Information, Message = "The read model {ReadModel} is folded from the first event on")]
    private static partial void LogStarted(ILogger logger, string readModel);

    [LoggerMessage(Level = LogLevel.Information, Message = "The read model {ReadModel} is whole")]
    private static partial void LogWhole(ILogger logger, string readModel);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Reason}")]
    private static partial void LogStopped(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "The read model {ReadModel} goes on in partition {Partition}")]
    private static partial void LogGoesOn(ILogger logger, string readModel, int partition);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Which log the events are in cannot be told now: {Reason}")]
    private static partial void LogExtentUnknown(ILogger logger, string reason);
}
