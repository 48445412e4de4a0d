using KafkaEventSourcing.Projections;

namespace KafkaEventSourcing.Hosting.Archiving;

/// <summary>How far the read models of an application have come in the events of one aggregate type. Thread-safe.</summary>
internal sealed class ReadModelMarks(ApplicationDefinition application, AggregateDefinition aggregate, IProjectionStore? store)
{
    private readonly ProjectionDefinition[] _projections =
        [.. application.Projections.Where(p => application.AggregatesOf(p).Contains(aggregate))];

    /// <summary>
    /// The marks in a partition; a read model that has no checkpoint there, or a damaged one, has passed nothing. It blocks.
    /// </summary>
    public IEnumerable<RetentionMark> Of(int partition, CancellationToken cancellationToken)
    {
        foreach (ProjectionDefinition projection in _projections)
        {
            string? several = application.AggregatesOf(projection).Count > 1 ? aggregate.Name : null;
            ReadModelCheckpoint? checkpoint = store!.LoadCheckpointAsync(projection, new EventPartition(several, partition),
                cancellationToken).GetAwaiter().GetResult(); // the archive's thread may block
            yield return new RetentionMark($"read model {projection.Name}",
                checkpoint is { IsGenuine: true } genuine ? genuine.NextOffset : null);
        }
    }
}
