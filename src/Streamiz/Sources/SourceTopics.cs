using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Looks at each start whether the events topics are those that were read before, and whole from where the streams go on: an offset says
/// nothing in a topic that was made again, and what a fold has not seen of one that was cut it is short of for ever, without a word. Which
/// topics were read is in a compacted topic of the definition, by their ids.
/// </summary>
/// <param name="definition">The definition.</param>
/// <param name="application">The application whose events are read.</param>
/// <param name="kafka">The cluster.</param>
internal sealed class SourceTopics(EventStreamsDefinition definition, string application, KafkaConnection kafka)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    /// <summary>Looks, and remembers topics that are read for the first time. All topics of the definition must be there.</summary>
    /// <exception cref="InvalidInputException">The definition is called as an application of the cluster.</exception>
    /// <exception cref="StreamStateException">A topic was made again, or does not have what is read next.</exception>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        using IAdminClient admin = kafka.BuildAdmin();
        await CheckName(admin, cancellationToken).ConfigureAwait(false);
        string[] topics = [.. definition.Sources.Select(s => new TopicFamily(application, s.Name).Events)];
        await CheckIds(admin, topics, cancellationToken).ConfigureAwait(false);
        foreach (string topic in topics)
            await CheckBegin(admin, topic, cancellationToken).ConfigureAwait(false);
    }

    // Of another application of the cluster; of the streams' own one it is known before.
    private async Task CheckName(IAdminClient admin, CancellationToken cancellationToken)
    {
        List<TopicMetadata> there = await Task.Run(() => admin.GetMetadata(Patience).Topics, cancellationToken).ConfigureAwait(false);
        if (there.Find(t => t.Topic.StartsWith($"{definition.Name}.", StringComparison.Ordinal)
            && t.Topic.EndsWith(TopicFamily.EventsSuffix, StringComparison.Ordinal)) is { } taken)
            throw new InvalidInputException("streams", $"The name '{definition.Name}' of event streams is that of an application of this "
                + $"cluster, which has the topic {taken.Topic}. Give the streams another name.");
    }

    private async Task CheckIds(IAdminClient admin, string[] topics, CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<string, TopicId> ids = await TopicIds.OfAsync(admin, topics, Patience, cancellationToken).ConfigureAwait(false);
        Dictionary<string, string> known = await Task.Run(() => Remembered(cancellationToken), cancellationToken).ConfigureAwait(false);
        var first = new Dictionary<string, string>();
        foreach ((string topic, TopicId id) in ids.Where(i => !i.Value.IsUnknown))
        {
            string now = id.ToString();
            if (!known.TryGetValue(topic, out string? before))
                first[topic] = now;
            else if (before != now)
                throw new StreamStateException($"The topic {topic} has the id {now}, and the streams '{definition.Name}' have read the one "
                    + $"with the id {before}: it was deleted and made again. What they have is of the other one, and offsets of the one "
                    + $"say nothing of the other. Reset the streams '{definition.Name}', so that they fold again.");
        }

        if (first.Count > 0)
            await Remember(first, cancellationToken).ConfigureAwait(false);
    }

    private Dictionary<string, string> Remembered(CancellationToken cancellationToken)
    {
        var known = new Dictionary<string, string>();
        foreach (ConsumeResult<byte[], byte[]> record in PartitionLogReader.Read(kafka, definition.Name,
            new TopicPartition(definition.ReadTopics, 0), 0, cancellationToken))
            known[Encoding.UTF8.GetString(record.Message.Key)] = Encoding.UTF8.GetString(record.Message.Value);
        return known;
    }

    private async Task Remember(Dictionary<string, string> ids, CancellationToken cancellationToken)
    {
        using IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(kafka.Producer()).SetLogHandler((_, _) => { })
            .SetErrorHandler((_, _) => { }).Build();
        foreach ((string topic, string id) in ids)
        {
            await producer.ProduceAsync(new TopicPartition(definition.ReadTopics, 0), new Message<byte[], byte[]>
            {
                Key = Encoding.UTF8.GetBytes(topic), Value = Encoding.UTF8.GetBytes(id),
            }, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task CheckBegin(IAdminClient admin, string topic, CancellationToken cancellationToken)
    {
        IReadOnlyList<int> numbers = await Task.Run(() => TopicPartitions.Of(admin, topic, Patience), cancellationToken)
            .ConfigureAwait(false);
        TopicPartition[] partitions = [.. numbers.Select(n => new TopicPartition(topic, n))];
        // Positions first: one that is committed meanwhile is of an event that was there.
        IReadOnlyDictionary<TopicPartition, long> positions = await Task.Run(() => GroupOffsets.Of(admin, definition.Name, partitions,
            Patience), cancellationToken).ConfigureAwait(false);
        IReadOnlyDictionary<int, long> begins = await PartitionOffsets.ListAsync(admin, partitions, OffsetSpec.Earliest(), Patience,
            cancellationToken).ConfigureAwait(false);
        foreach (TopicPartition partition in partitions)
        {
            long begin = begins[partition.Partition.Value];
            long? next = positions.TryGetValue(partition, out long committed) ? committed : null;
            if (begin > (next ?? 0))
                throw Cut(partition, begin, next);
        }
    }

    private StreamStateException Cut(TopicPartition partition, long begin, long? next) => new(string.Create(CultureInfo.InvariantCulture,
        $"{partition.Topic}, partition {partition.Partition.Value}, begins at offset {begin}, and the streams '{definition.Name}' "
            + $"{(next is { } at ? $"have read it up to offset {at}" : "have no position in it")}: events that they have not read were "
            + $"deleted, and what they fold would be short of them. Streams must have read events before these are archived. Who wants "
            + $"what is left all the same, or knows that the stores have what is gone, sets the position of the group "
            + $"'{definition.Name}' to {begin}, as with kafka-consumer-groups.sh --reset-offsets."));
}
