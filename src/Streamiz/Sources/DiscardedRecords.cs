using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// What operators have discarded of the events of several aggregate types, as of one start: each partition is read when its first event
/// comes, unless it has no dead letters, as nearly all have none. Thread-safe.
/// </summary>
internal sealed class DiscardedRecords
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly KafkaConnection _connection;
    private readonly HashSet<TopicPartition> _withLetters;

    private DiscardedRecords(KafkaConnection connection, HashSet<TopicPartition> withLetters) =>
        (_connection, _withLetters) = (connection, withLetters);

    /// <summary>Looks which partitions of <paramref name="families"/> have dead letters.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public static async Task<DiscardedRecords> AskAsync(KafkaConnection connection, IReadOnlyCollection<TopicFamily> families,
        CancellationToken cancellationToken)
    {
        using IAdminClient admin = connection.BuildAdmin();
        List<TopicMetadata> topics = await Task.Run(() => admin.GetMetadata(Patience).Topics, cancellationToken).ConfigureAwait(false);
        HashSet<TopicPartition> found = [];
        foreach (TopicMetadata topic in topics.Where(t => !t.Error.IsError && families.Any(f => f.DeadLetters == t.Topic)))
        {
            TopicPartition[] partitions = [.. topic.Partitions.Select(p => new TopicPartition(topic.Topic, p.PartitionId))];
            IReadOnlyDictionary<int, long> ends = await PartitionOffsets.ListAsync(admin, partitions, OffsetSpec.Latest(), Patience,
                cancellationToken).ConfigureAwait(false);
            found.UnionWith(partitions.Where(p => ends.GetValueOrDefault(p.Partition.Value) > 0));
        }

        return new DiscardedRecords(connection, found);
    }

    /// <summary>What was discarded of a partition of the events of <paramref name="family"/>, by offset; blocks.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public IReadOnlyDictionary<long, DeadLetterResolution> Of(TopicFamily family, int partition) =>
        _withLetters.Contains(new TopicPartition(family.DeadLetters, partition))
            ? new DiscardedEvents(_connection, family).Of(partition, CancellationToken.None)
            : new Dictionary<long, DeadLetterResolution>();
}
