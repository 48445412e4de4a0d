using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>How far a consumer group has come, seen from outside: the group is not joined. The calls block. Not thread-safe.</summary>
internal sealed class GroupPositions : IDisposable
{
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(15);

    private readonly string _group;
    private readonly IAdminClient _admin;
    private readonly PartitionLogReader _reader;

    /// <summary>The positions of <paramref name="group"/>.</summary>
    /// <param name="connection">The cluster.</param>
    /// <param name="group">The group.</param>
    /// <param name="name">What brokers know this client as.</param>
    public GroupPositions(KafkaConnection connection, string group, string name)
    {
        _group = group;
        _reader = PartitionLogReader.ToEnd(connection, name);
        _admin = connection.BuildAdmin();
    }

    /// <summary>The offsets that the group would read next in <paramref name="topics"/>, where it has committed any.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public IReadOnlyDictionary<TopicPartition, long> Committed(IEnumerable<string> topics) => GroupOffsets.Of(_admin, _group,
        [.. topics.SelectMany(t => TopicPartitions.Of(_admin, t, RequestTimeout).Select(p => new TopicPartition(t, p)))], RequestTimeout);

    /// <summary>How far it has come in each partition of <paramref name="topics"/>, in order.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public IReadOnlyList<GroupPosition> Of(IReadOnlyCollection<string> topics, CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<TopicPartition, long> committed = Committed(topics);
        var positions = new List<GroupPosition>();
        foreach (string topic in topics)
        {
            foreach (int partition in TopicPartitions.Of(_admin, topic, RequestTimeout).Order())
            {
                var place = new TopicPartition(topic, partition);
                WatermarkOffsets bounds = _reader.Bounds(place, cancellationToken);
                long? next = committed.TryGetValue(place, out long offset) ? offset : null;
                long from = Math.Max(next ?? 0, bounds.Low.Value);
                // Behind the last record there is the marker of its transaction: only a look says whether something is left.
                bool isDone = from >= bounds.High.Value || !_reader.Read(place, from, cancellationToken).Any();
                positions.Add(new GroupPosition(place, bounds.Low.Value, next, bounds.High.Value, isDone));
            }
        }

        return positions;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _reader.Dispose();
        _admin.Dispose();
    }
}

/// <summary>How far a group has come in a partition.</summary>
/// <param name="Partition">The partition.</param>
/// <param name="First">Its first offset.</param>
/// <param name="Next">The offset that the group reads next; null: it has committed none.</param>
/// <param name="End">The end of what is committed there.</param>
/// <param name="IsDone">Whether no record is left to read.</param>
internal sealed record GroupPosition(TopicPartition Partition, long First, long? Next, long End, bool IsDone)
{
    /// <summary>Offsets up to the end, markers of transactions among them; 0 where no record is left.</summary>
    public long Lag => IsDone ? 0 : End - Math.Max(Next ?? First, First);
}
