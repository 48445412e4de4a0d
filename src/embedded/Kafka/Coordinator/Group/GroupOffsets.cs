using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>A committed offset, and what was said with it.</summary>
internal readonly record struct OffsetAndMetadata(long Offset, int LeaderEpoch, string Metadata, long CommitTimestamp, long ExpireTimestamp)
{
    public static OffsetAndMetadata None { get; } = new(-1, -1, "", -1, -1);
}

/// <summary>The offsets of one group.</summary>
internal sealed class GroupOffsets
{
    public Dictionary<TopicPartition, OffsetAndMetadata> Committed { get; } = [];

    /// <summary>Offsets of open transactions, by producer id.</summary>
    public Dictionary<long, Dictionary<TopicPartition, OffsetAndMetadata>> Open { get; } = [];

    public bool IsEmpty => Committed.Count == 0 && Open.Count == 0;

    /// <summary>Whether a transaction that is open may still move it.</summary>
    public bool IsUnstable(TopicPartition partition)
    {
        foreach (Dictionary<TopicPartition, OffsetAndMetadata> offsets in Open.Values)
        {
            if (offsets.ContainsKey(partition))
                return true;
        }

        return false;
    }
}
