using System.Diagnostics;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// A warm copy of one partition's state: it folds the committed events as they come, into the store that the partition task of this node will open when the partition comes here. It writes nothing to Kafka and
/// answers eventual reads only. On a thread of its own.
/// </summary>
internal sealed partial class StandbyTask : IDisposable
{
    private readonly PartitionContext _context;
    private readonly int _partition;
    private readonly TopicPartition _events;
    private readonly CancellationTokenSource _stop = new();
    private volatile StoreReads? _reads;

    public StandbyTask(PartitionContext context, int partition)
    {
        (_context, _partition) = (context, partition);
        _events = new TopicPartition(context.Topics.Events, partition);
        Completion = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Ends when the task was stopped, or could not go on; never faults: without the copy a restore takes longer, and nothing else.</summary>
    public Task Completion { get; }

    /// <summary>Whether the copy has reached the end of the log once, so that it can be read.</summary>
    public bool IsWarm => _reads is not null && !Completion.IsCompleted;

    /// <summary>An eventual read.</summary>
    /// <exception cref="AggregateUnavailableException">The copy is not warm, or not here any more.</exception>
    public AggregateView? Read(AggregateId id) =>
        (_reads ?? throw new AggregateUnavailableException(_partition, $"The copy of partition {_partition} on this node is not complete yet; try again.")).Read(id);

    public void Stop() => _stop.Cancel();

    public void Dispose() => _stop.Dispose();

    private void Run()
    {
        StateStore? store = null;
        try
        {
            AvroRecordType stateType = _context.Serde.TypeOf(_context.Definition.StateType);
            store = StateStore.Open(_context.Options.StoreOf(_partition), _context.Definition, stateType, _context.Options.RecentCommands);
            (long start, long end) = EventReplay.Bounds(_context.Connection, _events);
            if (store.Checkpoint < start || store.Checkpoint > end)
            {
                LogOutOfReach(_context.Logger, _partition, store.Checkpoint, start, end);
                return;
            }

            var aggregates = new AggregateCache(store, _context.Definition, _context.Options.CachedAggregates);
            var replay = new EventReplay(_context.Connection, _events, new EventCodec(_context.Serde), _context.Definition, store, aggregates,
                new ParkedAggregates(_context.Topics, _partition, _context.Time), static (_, _, message) => throw new InvalidDataException(message)); // whoever restores parks it
            var reads = new StoreReads(store, _partition);
            long started = Stopwatch.GetTimestamp();
            replay.Follow(
                events =>
                {
                    if (_reads is null)
                        ProcessingTelemetry.Replayed(events, Stopwatch.GetElapsedTime(started));
                    _reads = reads;
                },
                _stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Stopped while it waited for events.
        }
        catch (Exception failure) when (failure is KafkaException or IOException or InvalidDataException)
        {
            LogEnded(_context.Logger, failure, _partition);
        }
        finally
        {
            if (store is not null)
                (_reads ?? new StoreReads(store, _partition)).Close();
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The copy of partition {Partition} is at offset {Checkpoint}, outside of what its log has ({Start} to {End}); it waits until the partition is restored here")]
    private static partial void LogOutOfReach(ILogger logger, int partition, long checkpoint, long start, long end);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The copy of partition {Partition} has ended; it is begun again with the next look at the group")]
    private static partial void LogEnded(ILogger logger, Exception failure, int partition);
}
