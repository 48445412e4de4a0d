using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>One partition of a fetch, and what its reader last learned of it.</summary>
internal sealed class FetchedPartition
{
    public required string Topic { get; init; }

    public required Guid TopicId { get; init; }

    public required int Index { get; init; }

    public long FetchOffset { get; set; }

    public int MaxBytes { get; set; }

    public int CurrentLeaderEpoch { get; set; }

    public long ToldHighWatermark { get; set; } = -1;

    public long ToldStableOffset { get; set; } = -1;

    public long ToldStartOffset { get; set; } = -1;

    public object Key => TopicId == Guid.Empty ? new TopicPartition(Topic, Index) : (TopicId, Index);
}

/// <summary>What a reader fetches again and again, so that it sends only changes (KIP-227). Used by one request at a time.</summary>
internal sealed class FetchSession(int id)
{
    private const int FirstEpoch = 1;

    private readonly Dictionary<object, LinkedListNode<FetchedPartition>> _byKey = [];
    private readonly LinkedList<FetchedPartition> _order = [];

    public int Id => id;

    /// <summary>The epoch that the next request must have.</summary>
    public int Epoch { get; private set; } = FirstEpoch;

    public long LastUsed { get; set; }

    public bool IsEmpty => _order.Count == 0;

    public IReadOnlyCollection<FetchedPartition> Partitions => _order;

    public void Advance() => Epoch = Epoch == int.MaxValue ? FirstEpoch : Epoch + 1;

    public void Apply(FetchRequest request)
    {
        foreach (FetchRequest.ForgottenTopic topic in request.ForgottenTopics)
        {
            foreach (int index in topic.Partitions)
            {
                object key = topic.TopicId == Guid.Empty ? new TopicPartition(topic.Name, index) : (topic.TopicId, index);
                if (_byKey.Remove(key, out LinkedListNode<FetchedPartition>? forgotten))
                    _order.Remove(forgotten);
            }
        }

        foreach (FetchedPartition partition in Of(request))
        {
            if (_byKey.TryGetValue(partition.Key, out LinkedListNode<FetchedPartition>? known))
                (known.Value.FetchOffset, known.Value.MaxBytes, known.Value.CurrentLeaderEpoch) = (partition.FetchOffset,
                    partition.MaxBytes, partition.CurrentLeaderEpoch);
            else
                _byKey.Add(partition.Key, _order.AddLast(partition));
        }
    }

    /// <summary>Who got records goes to the end, so that nobody starves behind a full answer (KIP-74).</summary>
    public void MoveToEnd(FetchedPartition partition)
    {
        if (!_byKey.TryGetValue(partition.Key, out LinkedListNode<FetchedPartition>? node))
            return;
        _order.Remove(node);
        _order.AddLast(node);
    }

    /// <summary>The partitions that a request names.</summary>
    public static IEnumerable<FetchedPartition> Of(FetchRequest request) => request.Topics
        .SelectMany(topic => topic.Partitions.Select(partition => new FetchedPartition
        {
            Topic = topic.Name,
            TopicId = topic.TopicId,
            Index = partition.Index,
            FetchOffset = partition.FetchOffset,
            MaxBytes = partition.PartitionMaxBytes,
            CurrentLeaderEpoch = partition.CurrentLeaderEpoch,
        }));
}
