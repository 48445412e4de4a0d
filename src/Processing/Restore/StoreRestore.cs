using KafkaEventSourcing.Avro.Messages;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Opens the store of one partition and folds what it lacks. Should the events show that the snapshots of event streams it was filled with
/// are short, as those of a topic that has lost records in the middle, it is filled again without them.
/// </summary>
internal static partial class StoreRestore
{
    /// <summary>What <paramref name="replay"/> makes of the opened store.</summary>
    /// <param name="context">What the partitions share.</param>
    /// <param name="opening">Opens the store.</param>
    /// <param name="parked">The letters of the partition.</param>
    /// <param name="topics">The topics as they are now.</param>
    /// <param name="recorded">The newest position of the snapshots topic; null: there is none.</param>
    /// <param name="use">Takes the store, as it has to be closed whatever comes; null: it closes the one that it has, which is
    /// deleted.</param>
    /// <param name="replay">Folds what the store lacks.</param>
    /// <param name="cancellationToken">Ends the load.</param>
    public static T Run<T>(PartitionContext context, StoreOpening opening, ParkedAggregates parked, TopicIdentities topics,
        PartitionPosition? recorded, Action<StateStore?> use, Func<OpenedStore, T> replay, CancellationToken cancellationToken)
    {
        OpenedStore store = opening.Open(parked, topics, recorded, cancellationToken);
        use(store.Store);
        try
        {
            return replay(store);
        }
        catch (IncompleteSnapshotsException incomplete)
        {
            LogIncomplete(context.Logger, context.Options.StreamSnapshots, parked.Partition, incomplete.Message);
        }

        use(null);
        Directory.Delete(context.Options.StoreOf(parked.Partition), recursive: true);
        store = opening.Open(parked, topics, recorded, cancellationToken, withStreams: false);
        use(store.Store);
        return replay(store);
    }

    [LoggerMessage(Level = LogLevel.Error,
        Message = "The snapshots of event streams in {Topic} that partition {Partition} was filled with are not complete: {Why} The "
            + "aggregates are folded from their events")]
    private static partial void LogIncomplete(ILogger logger, string? topic, int partition, string why);
}
