using System.Collections.Concurrent;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Projections;

/// <summary>
/// Where the read models are: what is stored is compared with what was left, at a partition's start, now and then, and for those who wait.
/// Thread-safe.
/// </summary>
internal sealed partial class ReadModelInspector : IAsyncDisposable
{
    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LastLook = TimeSpan.FromMilliseconds(320);

    private readonly IReadOnlyList<ProjectionDefinition> _projections;
    private readonly IProjectionStore _store;
    private readonly ReadModelCheckpoints _checkpoints;
    private readonly ProjectionPositions _positions;
    private readonly ProjectionFeed _feed;
    private readonly TimeSpan _interval;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Action<int> _behind;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _looking = new(1, 1); // a look with an older extent must not overrule one with a newer
    private readonly ConcurrentDictionary<int, Lazy<Task>> _looks = []; // by partition: whoever waits meanwhile shares it
    private readonly Task _watching;

    /// <summary>
    /// Looks each <paramref name="interval"/>; <paramref name="behind"/> learns of a partition whose events are needed again.
    /// </summary>
    public ReadModelInspector(
        IReadOnlyList<ProjectionDefinition> projections, IProjectionStore store, ReadModelCheckpoints checkpoints,
        ProjectionPositions positions, ProjectionFeed feed, TimeSpan interval, Action<int> behind, TimeProvider time,
        ILogger logger)
    {
        (_projections, _store, _checkpoints, _positions, _feed, _interval, _behind, _time, _logger) = (projections, store, checkpoints,
            positions, feed, interval, behind, time, logger);
        _watching = Task.Run(Watch);
    }

    /// <summary>Ends the looking.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    /// <summary>
    /// Where to begin reading <paramref name="partition"/>: the lowest checkpoint of the projections; null when one has none. Read models
    /// that were damaged are begun anew.
    /// </summary>
    public async Task<long?> StartOf(int partition, CancellationToken cancellationToken)
    {
        await _looking.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await LookForStart(partition, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _looking.Release();
        }
    }

    private async Task<long?> LookForStart(int partition, CancellationToken cancellationToken)
    {
        EventLogExtent? extent = await _checkpoints.Extent(cancellationToken).ConfigureAwait(false);
        var going = new List<KnownCheckpoint>();
        foreach (ProjectionDefinition projection in _projections)
        {
            if (await _checkpoints.Examine(projection, partition, extent, cancellationToken).ConfigureAwait(false) is { } known)
                going.Add(known);
        }

        if (going.Count == 0 && extent is not null && extent.Partitions.TryGetValue(partition, out PartitionExtent all))
            return all.End; // all are stopped
        long? lowest = going.Exists(k => k.NextOffset is null) ? null : going.Min(k => k.NextOffset);
        _positions.Restart(partition, lowest);
        return lowest;
    }

    /// <summary>Looks at all that this node writes: what was damaged is begun anew, and its partitions are read again.</summary>
    public async Task Inspect(CancellationToken cancellationToken)
    {
        await _looking.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await LookAtAll(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _looking.Release();
        }
    }

    private async Task LookAtAll(CancellationToken cancellationToken)
    {
        EventLogExtent? extent = await _checkpoints.Extent(cancellationToken).ConfigureAwait(false);
        var behind = new HashSet<int>();
        foreach (ProjectionDefinition projection in _projections)
        {
            await _checkpoints.UsableState(projection, cancellationToken).ConfigureAwait(false);
            foreach (int partition in _checkpoints.Partitions())
            {
                long written = _positions.Of(partition) ?? 0; // before: meanwhile the checkpoint only moves on
                bool wasStopped = _checkpoints.Stops.Has(projection.Name, partition);
                KnownCheckpoint? known = await _checkpoints.Examine(projection, partition, extent, cancellationToken).ConfigureAwait(false);
                if (known is not null && (wasStopped || (known.NextOffset ?? 0) < written))
                    behind.Add(partition);
            }

            await _checkpoints.CompleteIfWhole(projection, cancellationToken).ConfigureAwait(false);
        }

        foreach (int partition in behind)
            _behind(partition);
    }

    /// <summary>Completes once no read model is being built anew, on this node or another.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled first.</exception>
    public async Task WaitUntilWhole(CancellationToken cancellationToken)
    {
        foreach (ProjectionDefinition projection in _projections)
        {
            while ((await _checkpoints.UsableState(projection, cancellationToken).ConfigureAwait(false)).Until.Count > 0)
                await Task.Delay(LastLook, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Completes once the read models include the event that <paramref name="token"/> names, whichever node writes it: what this one does
    /// not read, it looks up in the store.
    /// </summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled first, or the engine was
    /// disposed.</exception>
    public async Task WaitFor(ConsistencyToken token, CancellationToken cancellationToken)
    {
        Task reached = _positions.WaitForAsync(token, cancellationToken);
        for (TimeSpan pause = FirstLook; !reached.IsCompleted && !cancellationToken.IsCancellationRequested; pause = pause < LastLook
            ? pause * 2
            : LastLook)
        {
            if (await Task.WhenAny(reached, Task.Delay(pause, TimeProvider.System, cancellationToken)).ConfigureAwait(false) != reached
                && !cancellationToken.IsCancellationRequested)
                await Look(token.Partition).WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        await reached.ConfigureAwait(false);
    }

    private Task Look(int partition) => _looks.GetOrAdd(partition, _ => new Lazy<Task>(async () =>
    {
        try
        {
            await LoadPosition(partition, _stop.Token).ConfigureAwait(false);
        }
        finally
        {
            _looks.TryRemove(partition, out Lazy<Task>? _);
        }
    })).Value;

    private async Task LoadPosition(int partition, CancellationToken cancellationToken)
    {
        long lowest = long.MaxValue;
        foreach (ProjectionDefinition projection in _projections)
        {
            if (await _store.LoadCheckpointAsync(projection, _feed.Of(projection.Name, partition), cancellationToken).ConfigureAwait(
                false) is not { } checkpoint)
                return;
            lowest = Math.Min(lowest, checkpoint.NextOffset);
        }

        _positions.Advance(partition, lowest);
    }

    private async Task Watch()
    {
        using var timer = new PeriodicTimer(_interval, _time);
        do
        {
            try
            {
                await Inspect(_stop.Token).ConfigureAwait(false);
            }
            catch (Exception failed) when (!_stop.IsCancellationRequested)
            {
                LogInspectionFailed(_logger, failed);
            }
        }
        while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The read models could not be looked at; it is tried again")]
    private static partial void LogInspectionFailed(ILogger logger, Exception failed);
}
