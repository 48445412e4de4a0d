using System.Diagnostics;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Opens the store of one partition for whoever goes on with it, its owner or a copy: what it has must be of this log, and where it has nothing of use the newest snapshots are loaded first.
/// </summary>
internal sealed partial class StoreOpening(PartitionContext context, int partition, RegistryWait registry)
{
    private readonly TopicPartition _events = new(context.Topics.Events, partition);
    private readonly AvroRecordType _stateType = context.Serde.TypeOf(context.Definition.StateType);

    /// <summary>The store, and the end of the log that it was opened for; its checkpoint is within what the log has.</summary>
    /// <param name="parked">The letters of the partition: a store that passed over an event which was folded later is filled again.</param>
    /// <param name="cancellationToken">Ends the load.</param>
    /// <exception cref="IOException">Another process has the store open, or the folder cannot be used.</exception>
    /// <exception cref="InvalidDataException">The first events are gone, and nothing covers them.</exception>
    public (StateStore Store, long End) Open(ParkedAggregates parked, CancellationToken cancellationToken)
    {
        (long start, long end) = EventReplay.Bounds(context.Connection, _events);
        StateStore store = OpenStore();
        try
        {
            if (store.Checkpoint > end)
            {
                // The store is of another log: this one is shorter than what it has seen.
                LogStoreAhead(context.Logger, partition, store.Checkpoint, end);
                Empty();
            }
            else if (parked.HasMissedRepair(store))
            {
                LogStoreMissedRepair(context.Logger, partition);
                Empty();
            }
            else if (store.Checkpoint > 0 && store.Checkpoint < start)
            {
                LogStoreBehind(context.Logger, partition, store.Checkpoint, start);
                Empty();
            }

            if (store.Checkpoint == 0 && end > 0 && !TryLoadBarrier(store, ref end, cancellationToken))
                Empty(); // it may have a part of them
            return store.Checkpoint >= start
                ? (store, end)
                : throw new InvalidDataException(
                    $"Partition {partition} of {_events.Topic} starts at offset {start}, and nothing covers what was before: its state cannot be restored. Bring back the snapshots or the local store.");
        }
        catch
        {
            store.Dispose();
            throw;
        }

        void Empty()
        {
            store.Dispose();
            Directory.Delete(context.Options.StoreOf(partition), recursive: true);
            store = OpenStore();
        }
    }

    private StateStore OpenStore() => StateStore.Open(context.Options.StoreOf(partition), context.Definition, _stateType, context.Options.RecentCommands);

    // False: there is nothing of use, and the store may have a part of what is not.
    private bool TryLoadBarrier(StateStore store, ref long end, CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        try
        {
            if (new SnapshotReader(context, partition, registry).ReadInto(store, _stateType, cancellationToken) is not { } barrier)
                return false;
            if (barrier.NextEventOffset > end)
                end = EventReplay.Bounds(context.Connection, _events).End; // the owner of a copy goes on meanwhile
            if (barrier.NextEventOffset > end)
                return false;
            if (barrier.IsOfAnotherSchema)
            {
                LogSchemaChanged(context.Logger, partition);
                return false;
            }

            store.Write(barrier.NextEventOffset);
            ProcessingTelemetry.Loaded(barrier.Aggregates, Stopwatch.GetElapsedTime(started));
            return true;
        }
        catch (Exception unreadable) when (unreadable is UndecodableMessageException or AvroDecodeException or InvalidDataException or InvalidInputException or InvalidCastException)
        {
            LogSnapshotsUnreadable(context.Logger, unreadable, partition);
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The state store of partition {Partition} is at offset {Checkpoint}, behind the end {End} of its log: it is of another log, and is filled again")]
    private static partial void LogStoreAhead(ILogger logger, int partition, long checkpoint, long end);

    [LoggerMessage(Level = LogLevel.Information, Message = "The state store of partition {Partition} is at offset {Checkpoint}, and its log begins at {Start} by now: it is filled again")]
    private static partial void LogStoreBehind(ILogger logger, int partition, long checkpoint, long start);

    [LoggerMessage(Level = LogLevel.Information, Message = "The state store of partition {Partition} passed over an event that was folded later on another node; it is filled again")]
    private static partial void LogStoreMissedRepair(ILogger logger, int partition);

    [LoggerMessage(Level = LogLevel.Information, Message = "The snapshots of partition {Partition} are of another state schema; its aggregates are folded from their events")]
    private static partial void LogSchemaChanged(ILogger logger, int partition);

    [LoggerMessage(Level = LogLevel.Error, Message = "The snapshots of partition {Partition} cannot be read; its aggregates are folded from their events")]
    private static partial void LogSnapshotsUnreadable(ILogger logger, Exception reason, int partition);
}
