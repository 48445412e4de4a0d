using System.Diagnostics;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Fills a new store with the snapshots that event streams keep (<see cref="CommandProcessorOptions.StreamSnapshots"/>), where they can be
/// used. Where they cannot the log says why, and what has all is folded: the events.
/// </summary>
/// <remarks>
/// How far the snapshots reach is in their own partition, as a mark in the transactions that they are written in. The committed offset
/// of the streams' group is not asked: it says nothing of a topic that was made again or cut, and its marker and those of the snapshots are
/// not written at one moment.
/// </remarks>
internal sealed partial class StreamRestore(PartitionContext context, int partition, SchemaRegistryRetry registry)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2); // a topic that is not there is one whose streams never ran

    private readonly TopicPartition _events = new(context.Topics.Events, partition);
    private readonly TopicPartition _source = new(context.Options.StreamSnapshots!, partition);

    /// <summary>
    /// Fills <paramref name="store"/> and writes its checkpoint; false: there is nothing of use, and the store may have a part of what is
    /// not.
    /// </summary>
    /// <param name="store">A new store.</param>
    /// <param name="topics">The topics as they are now.</param>
    /// <param name="recorded">The newest position of the snapshots topic: input marks behind it are in the events alone.</param>
    /// <param name="bounds">Gives the first offset and the end of the events.</param>
    /// <param name="cancellationToken">Ends the load.</param>
    /// <exception cref="UnexpectedLogException">The snapshots are of another log than the one that is there.</exception>
    public bool TryFill(StateStore store, TopicIdentities topics, PartitionPosition? recorded, Func<(long Start, long End)> bounds,
        CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        try
        {
            using PartitionLogReader reader = PartitionLogReader.ToEnd(context.Connection, "stream-snapshots", waitsForOpen: false);
            if (IdOf(reader, cancellationToken) is not { } topic)
                return Unused("it is not there: the streams have not run yet");
            StreamLoad load = new StreamSnapshotReader(context, _source, registry, store, cancellationToken).Read(reader);
            if ((load.Problem ?? ProblemOf(load.Mark!, topic, topics.Events, bounds().Start, cancellationToken)) is { } problem)
                return Unused(problem);
            (long start, long end) = bounds(); // behind the snapshots, as it is read later
            if (load.Ahead > end)
                throw new UnexpectedLogException(_events.Topic,
                    $"The topic {_events.Topic} ends at offset {end} in partition {partition}, and the snapshots in {_source.Topic} have "
                        + $"events up to {load.Ahead}: it has lost events, or is another topic of the same name.");
            long next = Math.Min(load.NextEventOffset, recorded?.NextEventOffset ?? 0);
            if (next == 0 || next < start)
                return Unused("no position of the partition's owners reaches as far");
            store.PutCover(new SnapshotCover(load.NextEventOffset, load.Ahead));
            store.PutGapBefore(load.Ahead);
            store.Write(next);
            ProcessingTelemetry.Loaded(load.Aggregates, Stopwatch.GetElapsedTime(started));
            LogFilled(context.Logger, partition, load.Aggregates, _source.Topic, load.NextEventOffset);
            return true;
        }
        catch (Exception unreadable) when (unreadable is UndecodableMessageException or AvroDecodeException or InvalidDataException
            or InvalidInputException)
        {
            return Unused(unreadable.Message);
        }
        catch (KafkaException missing) when (missing.Error.Code is ErrorCode.UnknownTopicOrPart or ErrorCode.Local_UnknownPartition
            or ErrorCode.Local_UnknownTopic)
        {
            return Unused(missing.Error.Reason);
        }
    }

    // Null: the topic is not there.
    private TopicId? IdOf(PartitionLogReader reader, CancellationToken cancellationToken)
    {
        using IAdminClient admin = new DependentAdminClientBuilder(reader.Handle).Build();
        return TopicIds.OfAsync(admin, [_source.Topic], Patience, cancellationToken).GetAwaiter().GetResult() // callers have a thread
            .TryGetValue(_source.Topic, out TopicId id) ? id : null;
    }

    // What is wrong with the log that the snapshots were made in, or from; null: nothing.
    private string? ProblemOf(StreamMark mark, TopicId snapshots, TopicId events, long start, CancellationToken cancellationToken)
    {
        if (mark.Events.Differs(events))
            throw new UnexpectedLogException(_events.Topic,
                $"The topic {_events.Topic} has the id {events}, and the snapshots in {_source.Topic} are of the one with the id "
                    + $"{mark.Events}: it was deleted and made again. Reset the streams that keep them to begin anew.");
        if (mark.Snapshots.Differs(snapshots))
            return $"it has the id {snapshots}, and its streams write to one with the id {mark.Snapshots}: it was made again";
        if (mark.RecentCommands < context.Options.RecentCommands)
            return $"its snapshots remember {mark.RecentCommands} commands of an aggregate, and {context.Options.RecentCommands} are "
                + "needed";
        return mark.FromOffset > start && FirstEvent(start, cancellationToken) < mark.FromOffset
            ? $"its streams have begun with the event at offset {mark.FromOffset}, and there are events before"
            : null;
    }

    private long FirstEvent(long start, CancellationToken cancellationToken)
    {
        foreach (ConsumeResult<byte[], byte[]> first in PartitionLogReader.Read(context.Connection, "restore", _events, start,
            cancellationToken))
            return first.Offset.Value;
        return long.MaxValue;
    }

    private bool Unused(string why)
    {
        LogUnused(context.Logger, _source.Topic, partition, why);
        return false;
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The snapshots of event streams in {Topic}, partition {Partition}, cannot be used: {Why}. The aggregates are restored "
            + "from a barrier, or folded from their events")]
    private static partial void LogUnused(ILogger logger, string topic, int partition, string why);

    [LoggerMessage(Level = LogLevel.Information,
        Message = "Partition {Partition} has {Aggregates} aggregates from {Topic}, which have all events before offset {Offset}")]
    private static partial void LogFilled(ILogger logger, int partition, int aggregates, string topic, long offset);
}
