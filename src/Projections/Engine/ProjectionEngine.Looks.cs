using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Projections;

/// <summary>Where the read models are: what is stored is compared with what was left, at a partition's start, now and then, and for those who wait.</summary>
public sealed partial class ProjectionEngine
{
    /// <summary>Where to begin reading <paramref name="partition"/>: the lowest checkpoint of the projections; null when one has none. Read models that were damaged are begun anew.</summary>
    public async Task<long?> StartOfAsync(int partition, CancellationToken cancellationToken = default)
    {
        // Another node may have written since this one last did: what is remembered of documents is stale.
        _partitionsMoved = true;
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
        foreach (ProjectionDefinition projection in Projections)
        {
            if (await _checkpoints.Examine(projection, partition, extent, cancellationToken).ConfigureAwait(false) is { } known)
                going.Add(known);
        }

        if (going.Count == 0 && extent is not null && extent.Partitions.TryGetValue(partition, out PartitionExtent all))
            return all.End; // all are stopped
        long? lowest = going.Exists(k => k.NextOffset is null) ? null : going.Min(k => k.NextOffset);
        Positions.Restart(partition, lowest);
        return lowest;
    }

    /// <summary>Looks at all that this node writes: what was damaged is begun anew, and its partitions are read again.</summary>
    public async Task InspectAsync(CancellationToken cancellationToken = default)
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
        foreach (ProjectionDefinition projection in Projections)
        {
            await _checkpoints.UsableState(projection, cancellationToken).ConfigureAwait(false);
            foreach (int partition in _checkpoints.Partitions())
            {
                long written = Positions.Of(partition) ?? 0; // before: meanwhile the checkpoint only moves on
                bool wasStopped = Stops.Has(projection.Name, partition);
                KnownCheckpoint? known = await _checkpoints.Examine(projection, partition, extent, cancellationToken).ConfigureAwait(false);
                if (known is not null && (wasStopped || (known.NextOffset ?? 0) < written))
                    behind.Add(partition);
            }

            await _checkpoints.CompleteIfWhole(projection, cancellationToken).ConfigureAwait(false);
        }

        foreach (int partition in behind)
            Behind?.Invoke(partition);
    }

    /// <summary>Completes once no read model is being built anew, on this node or another.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled first.</exception>
    public async Task WaitUntilWholeAsync(CancellationToken cancellationToken = default)
    {
        foreach (ProjectionDefinition projection in Projections)
        {
            while ((await _checkpoints.UsableState(projection, cancellationToken).ConfigureAwait(false)).Until.Count > 0)
                await Task.Delay(LastLook, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Completes once the read models include the event that <paramref name="token"/> names, whichever node writes it: what this one does not read, it looks up in the store.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled first, or the engine was disposed.</exception>
    public async Task WaitForAsync(ConsistencyToken token, CancellationToken cancellationToken = default)
    {
        Task reached = Positions.WaitForAsync(token, cancellationToken);
        for (TimeSpan pause = FirstLook; !reached.IsCompleted && !cancellationToken.IsCancellationRequested; pause = pause < LastLook ? pause * 2 : LastLook)
        {
            if (await Task.WhenAny(reached, Task.Delay(pause, TimeProvider.System, cancellationToken)).ConfigureAwait(false) != reached && !cancellationToken.IsCancellationRequested)
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
        foreach (ProjectionDefinition projection in Projections)
        {
            if (await _store.LoadCheckpointAsync(projection, _feed.Of(projection.Name, partition), cancellationToken).ConfigureAwait(false) is not { } checkpoint)
                return;
            lowest = Math.Min(lowest, checkpoint.NextOffset);
        }

        Positions.Advance(partition, lowest);
    }

    private async Task Watch()
    {
        using var timer = new PeriodicTimer(_options.CheckInterval, _time);
        do
        {
            try
            {
                await InspectAsync(_stop.Token).ConfigureAwait(false);
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
