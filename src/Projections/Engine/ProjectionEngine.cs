using System.Threading.Channels;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Projections;

/// <summary>
/// Folds event batches of all partitions that this node reads into the read models, and writes of each read model a batch's documents and
/// checkpoints in one transaction. Batches of several partitions that wait at the same time are written together. Thread-safe.
/// </summary>
/// <remarks>
/// A read model is the fold of its events exactly once: a checkpoint only moves from the position that the batch was folded at. When it is
/// found elsewhere (a lost answer, another node), everything remembered is dropped, the checkpoints are read again, and only what they do
/// not cover is folded. What they have lost is read again from the log: a read model that was damaged is deleted and folded from the first
/// event on.
/// </remarks>
public sealed partial class ProjectionEngine : IAsyncDisposable
{
    private readonly IProjectionStore _store;
    private readonly ProjectionEngineOptions _options;
    private readonly ILogger _logger;
    private readonly ProjectionFold[] _folds;
    private readonly Channel<PendingBatch> _pending;
    private readonly CancellationTokenSource _stop = new();
    private readonly ReadModelCheckpoints _checkpoints;
    private readonly ProjectionFeed _feed;
    private readonly ReadModelInspector _inspector;
    private volatile bool _partitionsMoved;

    /// <summary>Creates the engine and starts its writing loop.</summary>
    /// <exception cref="InvalidInputException">The options are out of range, or two projections have one name.</exception>
    /// <param name="projections">The read models.</param>
    /// <param name="store">Where they are kept.</param>
    /// <param name="options">How to batch and to check.</param>
    /// <param name="logger">The log.</param>
    /// <param name="log">Tells which log the events come from; null: it is not compared with the one that was left.</param>
    /// <param name="timeProvider">The clock; the system's by default.</param>
    /// <param name="feed">Whose events it reads, when read models are folded from those of other aggregate types too; null: all are folded
    /// from what this engine reads.</param>
    public ProjectionEngine(
        IReadOnlyList<ProjectionDefinition> projections, IProjectionStore store, ProjectionEngineOptions options,
        ILogger<ProjectionEngine> logger, IEventLogExtents? log = null, TimeProvider? timeProvider = null,
        ProjectionFeed? feed = null)
    {
        options.Validate();
        if (projections.GroupBy(p => p.Name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new InvalidInputException("projections", $"Two projections are named '{twice.Key}'.");

        (_store, _options, _logger) = (store, options, logger);
        TimeProvider time = timeProvider ?? TimeProvider.System;
        _feed = feed ?? ProjectionFeed.Only;
        _checkpoints = new ReadModelCheckpoints(store, log, _feed, options, time, logger);
        Projections = projections;
        Positions = new ProjectionPositions();
        _folds = [.. projections.Select(p => p.StartFold(options.CachedBytes / Math.Max(1, projections.Count)))];
        _pending = Channel.CreateBounded<PendingBatch>(new BoundedChannelOptions(options.MaxWaitingBatches) { SingleReader = true });
        Completion = Task.Run(WriteBatches);
        _inspector = new ReadModelInspector(projections, store, _checkpoints, Positions, _feed, options.CheckInterval,
            partition => Behind?.Invoke(partition), time, logger);
    }

    /// <summary>
    /// Raised with a partition whose events are needed again from <see cref="StartOfAsync"/> on, as a read model is built anew.
    /// </summary>
    public event Action<int>? Behind;

    /// <summary>The projections that are kept.</summary>
    public IReadOnlyList<ProjectionDefinition> Projections { get; }

    /// <summary>How far the read models are, per partition, as far as this node has read or looked.</summary>
    public ProjectionPositions Positions { get; }

    /// <summary>The read models that are not written, as the log is not the one that they were folded from.</summary>
    public ReadModelStops Stops => _checkpoints.Stops;

    /// <summary>Ends when the engine was disposed, or faults with what stopped the writing loop.</summary>
    public Task Completion { get; }

    /// <summary>
    /// Takes the next events of <paramref name="partition"/> and returns when they are written. <paramref name="fromOffset"/> is where they
    /// begin, and <paramref name="nextOffset"/> the position behind them, transaction markers included. Batches of one partition must come
    /// in order. When it throws, no read model is changed but those that could be; the same batch may come again, and the other partitions
    /// go on.
    /// </summary>
    /// <exception cref="InvalidDataException">A projection does not take an event; the message says which.</exception>
    /// <exception cref="EventsNeededAgainException">A read model needs events from before this batch: begin again where
    /// <see cref="StartOfAsync"/> says.</exception>
    /// <exception cref="InvalidOperationException">The engine stopped; its <see cref="Completion"/> says why.</exception>
    public async Task ProjectAsync(int partition, long fromOffset, IReadOnlyList<RecordedEvent> events, long nextOffset,
        CancellationToken cancellationToken = default)
    {
        var batch = new PendingBatch(partition, fromOffset, events, nextOffset);
        try
        {
            await _pending.Writer.WriteAsync(batch, cancellationToken).ConfigureAwait(false);
        }
        catch (ChannelClosedException closed)
        {
            throw new InvalidOperationException("The projection engine has stopped.", closed.InnerException);
        }

        await batch.Written.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Where to begin reading <paramref name="partition"/>: the lowest checkpoint of the projections; null when one has none. Read models
    /// that were damaged are begun anew.
    /// </summary>
    public Task<long?> StartOfAsync(int partition, CancellationToken cancellationToken = default)
    {
        // Another node may have written since this one last did: what is remembered of documents is stale.
        _partitionsMoved = true;
        return _inspector.StartOf(partition, cancellationToken);
    }

    /// <summary>Looks at all that this node writes: what was damaged is begun anew, and its partitions are read again.</summary>
    public Task InspectAsync(CancellationToken cancellationToken = default) => _inspector.Inspect(cancellationToken);

    /// <summary>Completes once no read model is being built anew, on this node or another.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled first.</exception>
    public Task WaitUntilWholeAsync(CancellationToken cancellationToken = default) => _inspector.WaitUntilWhole(cancellationToken);

    /// <summary>
    /// Completes once the read models include the event that <paramref name="token"/> names, whichever node writes it: what this one does
    /// not read, it looks up in the store.
    /// </summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled first, or the engine was
    /// disposed.</exception>
    public Task WaitForAsync(ConsistencyToken token, CancellationToken cancellationToken = default) =>
        _inspector.WaitFor(token, cancellationToken);

    /// <summary>Stops after the batch that is being written; batches still waiting are not written and will be read again.</summary>
    public async ValueTask DisposeAsync()
    {
        _pending.Writer.TryComplete();
        await _stop.CancelAsync().ConfigureAwait(false);
        await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _inspector.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task WriteBatches()
    {
        var together = new List<PendingBatch>();
        try
        {
            while (await _pending.Reader.WaitToReadAsync(_stop.Token).ConfigureAwait(false))
            {
                together.Clear();
                int events = 0;
                long bytes = 0;
                while (events < _options.MaxEventsPerTransaction
                    && bytes < _options.MaxBytesPerTransaction
                    && _pending.Reader.TryRead(out PendingBatch? batch))
                {
                    together.Add(batch);
                    events += batch.Events.Count;
                    bytes += batch.Events.Sum(e => (long)e.Bytes);
                }

                if (await TryWrite(together).ConfigureAwait(false) || together.Count == 1)
                    continue;
                foreach (PendingBatch batch in together) // one of them cannot be written; the others must not wait for it
                    await TryWrite([batch]).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            Abandon(together, null);
        }
        catch (Exception fault)
        {
            _pending.Writer.TryComplete(fault);
            Abandon(together, fault);
            LogStopped(_logger, fault);
            throw;
        }
    }

    // Of several batches that fail together nobody is told: each is tried alone.
    private async Task<bool> TryWrite(List<PendingBatch> together)
    {
        long started = System.Diagnostics.Stopwatch.GetTimestamp();
        try
        {
            await Write(together, _stop.Token).ConfigureAwait(false);
        }
        catch (Exception refused) when (!_stop.IsCancellationRequested)
        {
            if (together.Count == 1)
                together[0].Written.TrySetException(refused);
            return false;
        }

        ProjectionTelemetry.Wrote(together.Sum(b => b.Events.Count), System.Diagnostics.Stopwatch.GetElapsedTime(started));
        foreach (PendingBatch batch in together)
        {
            Positions.Advance(batch.Partition, batch.NextOffset);
            batch.Written.TrySetResult();
        }

        return true;
    }

    private void Abandon(List<PendingBatch> together, Exception? fault)
    {
        while (_pending.Reader.TryRead(out PendingBatch? waiting))
            together.Add(waiting);
        foreach (PendingBatch batch in together)
        {
            if (fault is null)
                batch.Written.TrySetCanceled();
            else
                batch.Written.TrySetException(new InvalidOperationException("The projection engine has stopped: " + fault.Message, fault));
        }
    }

    private async Task Write(List<PendingBatch> batches, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await FoldAndCommit(batches, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (CheckpointMovedException moved)
            {
                LogCheckpointMoved(_logger, moved.Move.Projection, moved.Move.Partition);
                await Reload(batches, cancellationToken).ConfigureAwait(false);
            }
            catch
            {
                foreach (ProjectionFold fold in _folds)
                    fold.Forget();
                throw;
            }
        }
    }

    private async Task Reload(List<PendingBatch> batches, CancellationToken cancellationToken)
    {
        foreach (ProjectionFold fold in _folds)
        {
            fold.Forget();
            foreach (int partition in batches.Select(b => b.Partition).Distinct())
                await _checkpoints.Examine(fold.Projection, partition, extent: null, cancellationToken).ConfigureAwait(false);
        }
    }

    // Each read model and its checkpoints are one transaction of their own, and they run side by side: none waits for another's documents.
    private Task FoldAndCommit(List<PendingBatch> batches, CancellationToken cancellationToken)
    {
        if (_partitionsMoved)
        {
            _partitionsMoved = false;
            foreach (ProjectionFold fold in _folds)
                fold.Forget();
        }

        return Task.WhenAll(_folds.Select(fold =>
            Task.Run(() => Tracing.IsOn
                ? ProjectionTracing.Around(fold.Projection.Name, [.. batches.SelectMany(b => b.Events)],
                    () => FoldAndCommit(fold, batches, cancellationToken))
                : FoldAndCommit(fold, batches, cancellationToken), cancellationToken)));
    }

    private async Task FoldAndCommit(ProjectionFold fold, List<PendingBatch> batches, CancellationToken cancellationToken)
    {
        var moves = new List<CheckpointMove>(batches.Count);
        IReadOnlyList<RecordedEvent> events = await EventsBehindCheckpoint(fold, batches, moves, cancellationToken).ConfigureAwait(false);
        if (moves.Count == 0)
            return;

        var rest = new ArraySegment<RecordedEvent>([.. events]);
        do
        {
            DocumentSizes sizes = fold.Sizes;
            (DocumentChanges? changes, int taken) = rest.Count == 0 ? (null, 0)
                : await fold.Fold(rest, sizes.Transaction(_options.MaxDocumentBytesPerTransaction), _store,
                    cancellationToken).ConfigureAwait(false);
            IReadOnlyList<CheckpointMove> now = taken == rest.Count ? moves : UpTo(rest, taken, moves);
            long bytes;
            try
            {
                bytes = await _store.CommitAsync(changes is { Count: > 0 } ? [changes] : [], now, cancellationToken).ConfigureAwait(false);
            }
            catch (DocumentsChangedException)
            {
                // Another engine shares documents with this one, and was first: somebody always gets on.
                ProjectionTelemetry.FoldedAgain(fold.Projection.Name);
                fold.Forget();
                continue;
            }

            sizes.Wrote(changes?.Count ?? 0, bytes);
            await _checkpoints.Moved(fold.Projection, now, cancellationToken).ConfigureAwait(false);
            rest = rest[taken..];
            moves = [.. moves.Select(m =>
                now.FirstOrDefault(n => n.Partition == m.Partition) is { Projection: not null } moved ? m with { From = moved.To } : m)
                .Where(m => m.From is null || m.From < m.To)];
        }
        while (rest.Count > 0);
    }

    // The checkpoints behind the first events of a batch: each partition is at its next event, those that have none of these stay.
    private static List<CheckpointMove> UpTo(ArraySegment<RecordedEvent> events, int taken, List<CheckpointMove> moves)
    {
        var now = new List<CheckpointMove>();
        foreach (CheckpointMove move in moves)
        {
            RecordedEvent? last = events[..taken].LastOrDefault(e => e.Partition == move.Partition.Partition);
            if (last is not null)
                now.Add(move with { To = events[taken..].FirstOrDefault(e => e.Partition == move.Partition.Partition)?.Offset ?? move.To });
        }

        return now;
    }

    private async Task<IReadOnlyList<RecordedEvent>> EventsBehindCheckpoint(
        ProjectionFold fold, List<PendingBatch> batches, List<CheckpointMove> moves, CancellationToken cancellationToken)
    {
        string projection = fold.Projection.Name;
        IReadOnlyList<RecordedEvent>? only = null;
        List<RecordedEvent>? joined = null;
        foreach (PendingBatch batch in batches)
        {
            if (Stops.Has(projection, batch.Partition))
                continue;
            int earlier = moves.FindIndex(m => m.Partition.Partition == batch.Partition);
            KnownCheckpoint? known = _checkpoints.Find(projection, batch.Partition)
                ?? await _checkpoints.Examine(fold.Projection, batch.Partition, extent: null, cancellationToken).ConfigureAwait(false);
            if (known is null)
                continue;
            long? from = earlier >= 0 ? moves[earlier].To : known.NextOffset;
            if (from >= batch.NextOffset)
                continue;
            if ((from ?? 0) < batch.FromOffset)
                throw new EventsNeededAgainException(
                    $"the read model {projection} has read up to {from ?? 0}; the events that came begin at {batch.FromOffset}.");

            fold.Build = known.Build;
            if (earlier >= 0)
                moves[earlier] = moves[earlier] with { To = batch.NextOffset };
            else
                moves.Add(new CheckpointMove(projection, _feed.Of(projection, batch.Partition), known.Build, from, batch.NextOffset,
                    known.TopicId));

            bool whole = from is null || batch.Events.Count == 0 || batch.Events[0].Offset >= from;
            if (whole && only is null && joined is null)
            {
                only = batch.Events;
                continue;
            }

            if (joined is null)
            {
                joined = new List<RecordedEvent>(only ?? []);
                only = null;
            }

            if (whole)
                joined.AddRange(batch.Events);
            else
                joined.AddRange(batch.Events.Where(e => e.Offset >= from));
        }

        return joined ?? only ?? [];
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The checkpoint of projection {Projection}, partition {Partition}, was moved by another writer or a lost answer; "
            + "reading it again")]
    private static partial void LogCheckpointMoved(ILogger logger, string projection, EventPartition partition);

    [LoggerMessage(Level = LogLevel.Error, Message = "The projection engine has stopped")]
    private static partial void LogStopped(ILogger logger, Exception fault);

    private sealed class PendingBatch(int partition, long fromOffset, IReadOnlyList<RecordedEvent> events, long nextOffset)
    {
        public int Partition => partition;

        public long FromOffset => fromOffset;

        public IReadOnlyList<RecordedEvent> Events => events;

        public long NextOffset => nextOffset;

        public TaskCompletionSource Written { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
