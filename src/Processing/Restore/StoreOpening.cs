using System.Diagnostics;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Opens the store of one partition for whoever goes on with it, its owner or a copy: what it has must be of this log, and where it has
/// nothing of use the newest snapshots are loaded first.
/// </summary>
internal sealed partial class StoreOpening(PartitionContext context, int partition, SchemaRegistryRetry registry)
{
    private readonly TopicPartition _events = new(context.Topics.Events, partition);
    private readonly AvroRecordType _stateType = context.Serde.TypeOf(context.Definition.StateType);

    /// <summary>The store, and the end of the log that it was opened for; its checkpoint is within what the log has.</summary>
    /// <param name="parked">The letters of the partition: a store that passed over an event which was folded later is filled again.</param>
    /// <param name="topics">The topics as they are now.</param>
    /// <param name="recorded">The newest position of the snapshots topic; null: there is none.</param>
    /// <param name="cancellationToken">Ends the load.</param>
    /// <param name="withStreams">Whether snapshots of event streams may be used, where the options name them.</param>
    /// <exception cref="IOException">Another process has the store open, or the folder cannot be used.</exception>
    /// <exception cref="UnexpectedLogException">The log is not the one that store or snapshots were made from, or its first events are gone
    /// and nothing covers them.</exception>
    public OpenedStore Open(ParkedAggregates parked, TopicIdentities topics, PartitionPosition? recorded,
        CancellationToken cancellationToken, bool withStreams = true)
    {
        (long start, long end) = Bounds(cancellationToken); // behind what was recorded, as it is read later
        StateStore store = OpenStore();
        try
        {
            if (recorded is not null)
                Check(TopicIdentities.From(recorded), recorded.NextEventOffset, $"the position in {context.Topics.Snapshots}");
            if (store.Checkpoint > 0)
                Check(store.Topics, store.Checkpoint, $"the state store {context.Options.StoreOf(partition)}");
            if (parked.HasMissedRepair(store))
            {
                LogStoreMissedRepair(context.Logger, partition);
                Empty();
            }
            else if (!store.HasOnlyAggregatesOf(partition, context.Partitions))
            {
                LogStoreMisplaced(context.Logger, partition);
                Empty();
            }
            else if (store.Checkpoint > 0 && store.Checkpoint < start)
            {
                LogStoreBehind(context.Logger, partition, store.Checkpoint, start);
                Empty();
            }

            if (store.Checkpoint == 0 && end > 0 && !TryFillFromStreams() && !TryLoadBarrier(store, ref end, cancellationToken))
            {
                Empty(); // it may have a part of them
                LogFolded(context.Logger, partition, _events.Topic);
            }

            if (store.Checkpoint < start)
            {
                throw new UnexpectedLogException(_events.Topic,
                    $"The topic {_events.Topic} begins at offset {start} in partition {partition}, and no snapshots that can be used and "
                        + $"no state store cover what was before. Bring back the snapshots or a node's state store.");
            }

            bool isWithoutBase = store.Topics is { } before && before.Snapshots.Differs(topics.Snapshots);
            if (isWithoutBase)
            {
                LogSnapshotsMadeAgain(context.Logger, context.Topics.Snapshots, store.Topics!.Snapshots, topics.Snapshots, partition);
                store.ChangeAll();
            }

            store.PutTopics(topics.With(parked.HasDeadLetters));
            return new OpenedStore(store, end, isWithoutBase);
        }
        catch
        {
            store.Dispose();
            throw;
        }

        void Check(TopicIdentities? before, long reached, string what)
        {
            before?.Check(topics, context.Topics, partition, what);
            if (reached > end)
                throw new UnexpectedLogException(_events.Topic,
                    $"The topic {_events.Topic} ends at offset {end} in partition {partition}, and {what} has seen it up to {reached}: it "
                        + $"has lost events, or is another topic of the same name.");
        }

        // Of an aggregate that was parked by an event the streams may know more than this node could fold, or less than was discarded here.
        bool TryFillFromStreams()
        {
            if (!withStreams || context.Options.StreamSnapshots is null)
                return false;
            if (parked.HasHadEvents)
            {
                LogParkedEvents(context.Logger, context.Options.StreamSnapshots, partition);
                return false;
            }

            if (new StreamRestore(context, partition, registry).TryFill(store, topics, recorded, Measure, cancellationToken))
                return true;
            Empty();
            return false;
        }

        // The owner of a copy goes on meanwhile.
        (long Start, long End) Measure()
        {
            (start, end) = Bounds(cancellationToken);
            return (start, end);
        }

        void Empty()
        {
            store.Dispose();
            Directory.Delete(context.Options.StoreOf(partition), recursive: true);
            store = OpenStore();
        }
    }

    private (long Start, long End) Bounds(CancellationToken cancellationToken)
    {
        using PartitionLogReader reader = PartitionLogReader.ToEnd(context.Connection, "restore");
        WatermarkOffsets bounds = reader.Bounds(_events, cancellationToken);
        return (bounds.Low.Value, bounds.High.Value);
    }

    private StateStore OpenStore() => StateStore.Open(
        context.Options.StoreOf(partition), context.Definition, _stateType, context.Options.RecentCommands,
        StoreMemory.With(context.Options.StateStores), context.Options.StateStores, context.Serde.Protection);

    // False: there is nothing of use, and the store may have a part of what is not.
    private bool TryLoadBarrier(StateStore store, ref long end, CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        try
        {
            if (new SnapshotReader(context, partition, registry).ReadInto(store, _stateType, cancellationToken) is not { } barrier)
                return false;
            if (barrier.NextEventOffset > end)
                end = Bounds(cancellationToken).End; // the owner of a copy goes on meanwhile
            if (barrier.NextEventOffset > end)
                throw new UnexpectedLogException(_events.Topic,
                    $"The topic {_events.Topic} ends at offset {end} in partition {partition}, and its snapshots cover it up "
                        + $"to {barrier.NextEventOffset}: it has lost events, or is another topic of the same name.");
            if (barrier.Missing > 0)
            {
                LogSnapshotsMissing(context.Logger, context.Topics.Snapshots, partition, barrier.Missing);
                return false;
            }

            if (barrier.IsOfAnotherSchema)
            {
                LogSchemaChanged(context.Logger, partition);
                return false;
            }

            store.PutGapBefore(barrier.NextEventOffset);
            store.Write(barrier.NextEventOffset);
            ProcessingTelemetry.Loaded(barrier.Aggregates, Stopwatch.GetElapsedTime(started));
            LogLoaded(context.Logger, partition, barrier.Aggregates, context.Topics.Snapshots, barrier.NextEventOffset);
            return true;
        }
        catch (Exception unreadable) when (unreadable is UndecodableMessageException or AvroDecodeException or InvalidDataException
            or InvalidInputException or InvalidCastException)
        {
            LogSnapshotsUnreadable(context.Logger, unreadable, partition);
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The topic {Topic} has the id {Id} and had {Before}: it was made again. The next snapshot barrier of partition "
            + "{Partition} has all aggregates")]
    private static partial void LogSnapshotsMadeAgain(ILogger logger, string topic, TopicId before, TopicId id, int partition);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "The topic {Topic} does not have the snapshots of {Missing} aggregates of partition {Partition}: it was made again, or "
            + "records were deleted from it. The aggregates are folded from their events")]
    private static partial void LogSnapshotsMissing(ILogger logger, string topic, int partition, long missing);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The snapshots of event streams in {Topic} are not used for partition {Partition}: events of it were put aside for an "
            + "operator, and what came of them is in the dead letters. The aggregates are restored from a barrier, or folded from their "
            + "events")]
    private static partial void LogParkedEvents(ILogger logger, string topic, int partition);

    [LoggerMessage(Level = LogLevel.Information,
        Message = "Partition {Partition} has {Aggregates} aggregates from the barrier in {Topic}, which has all events before offset "
            + "{Offset}")]
    private static partial void LogLoaded(ILogger logger, int partition, long aggregates, string topic, long offset);

    [LoggerMessage(Level = LogLevel.Information,
        Message = "Partition {Partition} of {Topic} is folded from its first event: there is no state store, and nothing to restore from")]
    private static partial void LogFolded(ILogger logger, int partition, string topic);

    [LoggerMessage(Level = LogLevel.Information,
        Message = "The state store of partition {Partition} is at offset {Checkpoint}, and its log begins at {Start} by now: it is filled "
            + "again")]
    private static partial void LogStoreBehind(ILogger logger, int partition, long checkpoint, long start);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The state store of partition {Partition} has aggregates that belong to other partitions; it is filled again")]
    private static partial void LogStoreMisplaced(ILogger logger, int partition);

    [LoggerMessage(Level = LogLevel.Information,
        Message = "The state store of partition {Partition} passed over an event that was folded later on another node; it is filled "
            + "again")]
    private static partial void LogStoreMissedRepair(ILogger logger, int partition);

    [LoggerMessage(Level = LogLevel.Information,
        Message = "The snapshots of partition {Partition} are of another state schema; its aggregates are folded from their events")]
    private static partial void LogSchemaChanged(ILogger logger, int partition);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "The snapshots of partition {Partition} cannot be read; its aggregates are folded from their events")]
    private static partial void LogSnapshotsUnreadable(ILogger logger, Exception reason, int partition);
}

/// <summary>
/// A <paramref name="Store"/> for the log up to <paramref name="End"/>; <paramref name="IsWithoutBase"/>: the snapshots topic has nothing
/// of it, and the next barrier has all.
/// </summary>
internal sealed record OpenedStore(StateStore Store, long End, bool IsWithoutBase);
