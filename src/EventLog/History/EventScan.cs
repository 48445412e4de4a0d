using Confluent.Kafka;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Looks through the whole events topic of an aggregate type, without decoding it; records that were discarded do not count. The calls
/// block. Thread-safe.
/// </summary>
public sealed class EventScan(KafkaConnection connection, TopicFamily topics)
{
    private static readonly TimeSpan MetadataTimeout = TimeSpan.FromSeconds(15);

    private readonly DiscardedEvents _discarded = new(connection, topics);

    /// <summary>How many events have one of <paramref name="schemaIds"/>, by id, and where the first of them is.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public IReadOnlyDictionary<int, (long Count, TopicPartitionOffset First)> CountBySchema(
        IReadOnlySet<int> schemaIds, CancellationToken cancellationToken)
    {
        var found = new Dictionary<int, (long Count, TopicPartitionOffset First)>();
        foreach (ConsumeResult<byte[], byte[]> record in Records(topics.Events, Partitions().Count, cancellationToken))
        {
            if (!WireFormat.TryReadSchemaId(record.Message.Value, out int id) || !schemaIds.Contains(id))
                continue;
            found[id] = found.TryGetValue(id, out (long Count, TopicPartitionOffset First) before)
                ? (before.Count + 1, before.First)
                : (1, record.TopicPartitionOffset);
        }

        return found;
    }

    /// <summary>The events, and the snapshots that are not deleted, that lie on another partition than that of their key.</summary>
    /// <param name="keyOf">The key that says where a snapshot belongs; null: its record is not an aggregate's.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public (IReadOnlyList<ConsumeResult<byte[], byte[]>> Events, IReadOnlyList<ConsumeResult<byte[], byte[]>> Snapshots) FindMisplaced(
        Func<byte[], byte[]?> keyOf, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(keyOf);
        int partitions = Partitions().Count;
        List<ConsumeResult<byte[], byte[]>> events = [.. Records(topics.Events, partitions, cancellationToken)
            .Where(r => r.Message.Key is { } key
                && !DeadLetterFormat.AggregateOf(key).IsDefault
                && Murmur2.Partition(key, partitions) != r.Partition.Value)];
        var snapshots = new Dictionary<(int, string), ConsumeResult<byte[], byte[]>>();
        foreach (ConsumeResult<byte[], byte[]> record in Records(topics.Snapshots, partitions, cancellationToken))
        {
            if (record.Message.Key is not { } key
                || keyOf(key) is not { } own
                || Murmur2.Partition(own, partitions) == record.Partition.Value)
                continue;
            if (record.Message.Value is null)
                snapshots.Remove((record.Partition.Value, Convert.ToHexString(key)));
            else
                snapshots[(record.Partition.Value, Convert.ToHexString(key))] = record;
        }

        return (events, [.. snapshots.Values]);
    }

    private IReadOnlyList<int> Partitions()
    {
        using IAdminClient admin = connection.BuildAdmin();
        return TopicPartitions.Of(admin, topics.Events, MetadataTimeout);
    }

    private IEnumerable<ConsumeResult<byte[], byte[]>> Records(string topic, int partitions, CancellationToken cancellationToken)
    {
        using PartitionLogReader reader = PartitionLogReader.ToEnd(connection, $"{topics.Application}-scan");
        for (int partition = 0; partition < partitions; partition++)
        {
            IReadOnlyDictionary<long, DeadLetterResolution> discarded = topic == topics.Events
                ? _discarded.Of(partition, cancellationToken)
                : new Dictionary<long, DeadLetterResolution>();
            foreach (ConsumeResult<byte[], byte[]> record in reader.Read(new TopicPartition(topic, partition), 0, cancellationToken))
            {
                if (!discarded.ContainsKey(record.Offset.Value))
                    yield return record;
            }
        }
    }
}
