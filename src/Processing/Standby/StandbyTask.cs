using System.Diagnostics;
using Confluent.Kafka;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// A warm copy of one partition's state: it begins from the newest snapshots where this node has nothing yet, and folds the committed
/// events as they come, into the store that the partition task of this node will open when the partition comes here. It writes nothing to
/// Kafka and answers eventual reads and reads by token only. On a thread of its own.
/// </summary>
internal sealed partial class StandbyTask : IDisposable
{
    private readonly PartitionContext _context;
    private readonly int _partition;
    private readonly CancellationTokenSource _stop = new();
    private readonly ParkedAggregates _parked;
    private StateStore? _store;
    private volatile StoreReads? _reads;

    public StandbyTask(PartitionContext context, int partition)
    {
        (_context, _partition) = (context, partition);
        _parked = new ParkedAggregates(context.Topics, partition, context.Time);
        Completion = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>
    /// Ends when the task was stopped (true), or could not go on (false); never faults: without the copy a restore takes longer, and
    /// nothing else.
    /// </summary>
    public Task<bool> Completion { get; }

    /// <summary>Whether the copy has reached the end of the log once, so that it can be read.</summary>
    public bool IsWarm => _reads is not null && !Completion.IsCompleted;

    /// <summary>The first offset that the copy has not folded; -1: it is not warm.</summary>
    public long NextOffset => IsWarm && _store is { } store ? store.Checkpoint : -1;

    /// <summary>An eventual read.</summary>
    /// <exception cref="AggregateUnavailableException">The copy is not warm, or not here any more, or does not have this aggregate's events
    /// as they are.</exception>
    public AggregateView? Read(AggregateId id)
    {
        StoreReads reads = _reads
            ?? throw new AggregateUnavailableException(_partition,
                $"The copy of partition {_partition} on this node is not complete yet; try again.");
        return _parked.TryGet(id, out ParkedAggregate? parked) && parked.BrokenAt >= 0
            ? throw new AggregateUnavailableException(_partition,
                $"The copy of partition {_partition} on this node was made while an event of '{id}' could not be folded; the owner of the "
                    + $"partition knows more.")
            : reads.Read(id);
    }

    public void Stop() => _stop.Cancel();

    public void Dispose() => _stop.Dispose();

    private bool Run()
    {
        var registry = new SchemaRegistryRetry(_context.Logger, _partition);
        try
        {
            // the owner logs foreign records
            _parked.Load(new DeadLetterReader(_context.Connection, _context.Topics.DeadLetters), static _ => { }, _stop.Token);
            TopicIdentities topics = TopicIdentities.Ask(_context, _stop.Token);
            PartitionPosition? recorded = new PositionReader(_context, _partition, registry).Read(_stop.Token);
            StoreRestore.Run(_context, new StoreOpening(_context, _partition, registry), _parked, topics, recorded, Use, Follow,
                _stop.Token);
            return true;
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            return true; // stopped while it waited for events
        }
        catch (Exception failure) when (failure is KafkaException or IOException or InvalidDataException or UnexpectedLogException
            or ArchiveDamagedException)
        {
            LogEnded(_context.Logger, failure, _partition);
            return false;
        }
        finally
        {
            Use(null);
        }

        void Use(StateStore? store)
        {
            StoreReads? reads = _reads;
            _reads = null;
            if (_store is not null)
                (reads ?? new StoreReads(_store, _partition)).Close();
            _store = store;
        }

        bool Follow(OpenedStore opened)
        {
            var aggregates = new AggregateCache(opened.Store, _context.Definition, _context.CachedBytes);
            var replay = new EventReplay(_context.Connection,
                new EventFolder(_context, _partition, registry, opened.Store, aggregates, _parked));
            var reads = new StoreReads(opened.Store, _partition);
            long started = Stopwatch.GetTimestamp();
            replay.Follow(
                events =>
                {
                    if (_reads is null)
                        ProcessingTelemetry.Replayed(events, Stopwatch.GetElapsedTime(started));
                    _reads = reads;
                },
                _stop.Token);
            return true;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The copy of partition {Partition} has ended; it is begun again later")]
    private static partial void LogEnded(ILogger logger, Exception failure, int partition);
}
