using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Projections;

/// <summary>
/// Folds event batches of all partitions that this node reads into the read models, and writes of each read model a batch's documents and
/// checkpoints in one transaction. Batches of several partitions that wait at the same time are written together. Thread-safe.
/// </summary>
/// <remarks>
/// A read model is the fold of its events exactly once: a checkpoint only moves from the position that the batch was folded at. When it is
/// found elsewhere (a lost answer, another node), everything remembered is dropped, the checkpoints are read again, and only what they do
/// not cover is folded.
/// </remarks>
public sealed partial class ProjectionEngine : IAsyncDisposable
{
    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LastLook = TimeSpan.FromMilliseconds(320);

    private readonly IProjectionStore _store;
    private readonly ProjectionEngineOptions _options;
    private readonly ILogger _logger;
    private readonly ProjectionFold[] _folds;
    private readonly Channel<PendingBatch> _pending;
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<(string Projection, int Partition), long?> _checkpoints = []; // owned by the writing loop and, before its first batch, by StartOf
    private readonly Lock _checkpointsLock = new();
    private readonly ConcurrentDictionary<int, Lazy<Task>> _looks = []; // by partition: whoever waits meanwhile shares it
    private volatile bool _partitionsMoved;

    /// <summary>Creates the engine and starts its writing loop.</summary>
    /// <exception cref="InvalidInputException">The options are out of range, or two projections have one name.</exception>
    public ProjectionEngine(IReadOnlyList<ProjectionDefinition> projections, IProjectionStore store, ProjectionEngineOptions options, ILogger<ProjectionEngine> logger)
    {
        options.Validate();
        if (projections.GroupBy(p => p.Name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new InvalidInputException("projections", $"Two projections are named '{twice.Key}'.");

        (_store, _options, _logger) = (store, options, logger);
        Projections = projections;
        Positions = new ProjectionPositions();
        _folds = [.. projections.Select(p => p.StartFold(options.CachedBytes / projections.Count))];
        _pending = Channel.CreateBounded<PendingBatch>(new BoundedChannelOptions(options.MaxWaitingBatches) { SingleReader = true });
        Completion = Task.Run(WriteBatches);
    }

    /// <summary>The projections that are kept.</summary>
    public IReadOnlyList<ProjectionDefinition> Projections { get; }

    /// <summary>How far the read models are, per partition, as far as this node has read or looked.</summary>
    public ProjectionPositions Positions { get; }

    /// <summary>Ends when the engine was disposed, or faults with what stopped the writing loop.</summary>
    public Task Completion { get; }

    /// <summary>Where to begin reading <paramref name="partition"/>: the lowest checkpoint of the projections; null when one has none.</summary>
    public async Task<long?> StartOf(int partition, CancellationToken cancellationToken)
    {
        // Another node may have written since this one last did: what is remembered of documents is stale.
        _partitionsMoved = true;
        return await LoadPosition(partition, (projection, checkpoint) =>
        {
            lock (_checkpointsLock)
                _checkpoints[(projection, partition)] = checkpoint;
        }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Completes once the read models include the event that <paramref name="token"/> names, whichever node writes it: what this one does not read, it looks up in the store.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled first, or the engine was disposed.</exception>
    public async Task WaitFor(ConsistencyToken token, CancellationToken cancellationToken)
    {
        Task reached = Positions.WaitFor(token, cancellationToken);
        for (TimeSpan pause = FirstLook; !reached.IsCompleted && !cancellationToken.IsCancellationRequested; pause = pause < LastLook ? pause * 2 : LastLook)
        {
            if (await Task.WhenAny(reached, Task.Delay(pause, TimeProvider.System, cancellationToken)).ConfigureAwait(false) != reached && !cancellationToken.IsCancellationRequested)
                await Look(token.Partition).WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        await reached.ConfigureAwait(false);
    }

    /// <summary>
    /// Takes the next events of <paramref name="partition"/> and returns when they are written. <paramref name="nextOffset"/> is the position behind
    /// them, transaction markers included. Batches of one partition must come in order. When it throws, no read model is changed but those that could be; the same batch may come again, and the other partitions go on.
    /// </summary>
    /// <exception cref="InvalidDataException">A projection does not take an event; the message says which.</exception>
    /// <exception cref="InvalidOperationException">The engine stopped; its <see cref="Completion"/> says why.</exception>
    public async Task Project(int partition, IReadOnlyList<RecordedEvent> events, long nextOffset, CancellationToken cancellationToken)
    {
        var batch = new PendingBatch(partition, events, nextOffset);
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

    /// <summary>Stops after the batch that is being written; batches still waiting are not written and will be read again.</summary>
    public async ValueTask DisposeAsync()
    {
        _pending.Writer.TryComplete();
        await _stop.CancelAsync().ConfigureAwait(false);
        await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private Task Look(int partition) => _looks.GetOrAdd(partition, _ => new Lazy<Task>(async () =>
    {
        try
        {
            await LoadPosition(partition, (_, _) => { }, _stop.Token).ConfigureAwait(false);
        }
        finally
        {
            _looks.TryRemove(partition, out Lazy<Task>? _);
        }
    })).Value;

    // The lowest checkpoint of the projections; null when one has none.
    private async Task<long?> LoadPosition(int partition, Action<string, long?> loaded, CancellationToken cancellationToken)
    {
        long? lowest = long.MaxValue;
        foreach (ProjectionDefinition projection in Projections)
        {
            long? checkpoint = await _store.LoadCheckpoint(projection.Name, partition, cancellationToken).ConfigureAwait(false);
            loaded(projection.Name, checkpoint);
            lowest = checkpoint is null || lowest is null ? null : Math.Min(lowest.Value, checkpoint.Value);
        }

        if (lowest == long.MaxValue)
            lowest = null;
        if (lowest is { } position)
            Positions.Advance(partition, position);
        return lowest;
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
                while (events < _options.MaxEventsPerTransaction && bytes < _options.MaxBytesPerTransaction && _pending.Reader.TryRead(out PendingBatch? batch))
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
            {
                long? checkpoint = await _store.LoadCheckpoint(fold.Projection.Name, partition, cancellationToken).ConfigureAwait(false);
                lock (_checkpointsLock)
                    _checkpoints[(fold.Projection.Name, partition)] = checkpoint;
            }
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

        return Task.WhenAll(_folds.Select(fold => Task.Run(() => FoldAndCommit(fold, batches, cancellationToken), cancellationToken)));
    }

    private async Task FoldAndCommit(ProjectionFold fold, List<PendingBatch> batches, CancellationToken cancellationToken)
    {
        var moves = new List<CheckpointMove>(batches.Count);
        IReadOnlyList<RecordedEvent> events = await EventsBehindCheckpoint(fold.Projection.Name, batches, moves, cancellationToken).ConfigureAwait(false);
        if (moves.Count == 0)
            return;

        DocumentChanges? changes = events.Count == 0 ? null : await fold.Fold(events, _store, cancellationToken).ConfigureAwait(false);
        await _store.Commit(changes is { Count: > 0 } ? [changes] : [], moves, cancellationToken).ConfigureAwait(false);
        lock (_checkpointsLock)
        {
            foreach (CheckpointMove move in moves)
                _checkpoints[(move.Projection, move.Partition)] = move.To;
        }
    }

    private async Task<IReadOnlyList<RecordedEvent>> EventsBehindCheckpoint(
        string projection, List<PendingBatch> batches, List<CheckpointMove> moves, CancellationToken cancellationToken)
    {
        IReadOnlyList<RecordedEvent>? only = null;
        List<RecordedEvent>? joined = null;
        foreach (PendingBatch batch in batches)
        {
            int earlier = moves.FindIndex(m => m.Partition == batch.Partition);
            long? from = earlier >= 0 ? moves[earlier].To : await CheckpointOf(projection, batch.Partition, cancellationToken).ConfigureAwait(false);
            if (from >= batch.NextOffset)
                continue;

            if (earlier >= 0)
                moves[earlier] = moves[earlier] with { To = batch.NextOffset };
            else
                moves.Add(new CheckpointMove(projection, batch.Partition, from, batch.NextOffset));

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

    private async ValueTask<long?> CheckpointOf(string projection, int partition, CancellationToken cancellationToken)
    {
        lock (_checkpointsLock)
        {
            if (_checkpoints.TryGetValue((projection, partition), out long? known))
                return known;
        }

        long? stored = await _store.LoadCheckpoint(projection, partition, cancellationToken).ConfigureAwait(false);
        lock (_checkpointsLock)
            _checkpoints[(projection, partition)] = stored;
        return stored;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The checkpoint of projection {Projection}, partition {Partition}, was moved by another writer or a lost answer; reading it again")]
    private static partial void LogCheckpointMoved(ILogger logger, string projection, int partition);

    [LoggerMessage(Level = LogLevel.Error, Message = "The projection engine has stopped")]
    private static partial void LogStopped(ILogger logger, Exception fault);

    private sealed class PendingBatch(int partition, IReadOnlyList<RecordedEvent> events, long nextOffset)
    {
        public int Partition => partition;

        public IReadOnlyList<RecordedEvent> Events => events;

        public long NextOffset => nextOffset;

        public TaskCompletionSource Written { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
