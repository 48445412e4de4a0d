using System.Collections.Immutable;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// What consumers of the classic protocol tell each other through the group: their subscriptions, and the assignments that the leader
/// makes. A newer version is read as the newest that is known.
/// </summary>
internal static class ConsumerProtocol
{
    public const string Type = "consumer";

    /// <exception cref="MalformedRequestException">This is not a subscription.</exception>
    public static ConsumerProtocolSubscription ReadSubscription(ReadOnlyMemory<byte> subscription)
    {
        var reader = new KafkaReader(subscription);
        return ConsumerProtocolSubscription.Read(ref reader, ReadVersion(ref reader));
    }

    /// <exception cref="MalformedRequestException">This is not an assignment.</exception>
    public static ConsumerProtocolAssignment ReadAssignment(ReadOnlyMemory<byte> assignment)
    {
        var reader = new KafkaReader(assignment);
        return ConsumerProtocolAssignment.Read(ref reader, ReadVersion(ref reader));
    }

    /// <summary>The assignment for a member, in the version of its subscription.</summary>
    public static byte[] Write(ConsumerProtocolAssignment assignment, ReadOnlyMemory<byte> subscription)
    {
        short version = subscription.Length < sizeof(short)
            ? (short)0
            : Math.Clamp(new KafkaReader(subscription).ReadInt16(), (short)0, ConsumerProtocolAssignment.MaxVersion);
        using var writer = new KafkaWriter();
        writer.WriteInt16(version);
        assignment.Write(writer, version);
        return writer.Written.ToArray();
    }

    /// <summary>Partitions by the ids of their topics; topics that are gone are left out.</summary>
    public static ImmutableHashSet<AssignedPartition> PartitionsOf(
        TopicStore known, IEnumerable<(string Topic, List<int> Partitions)> topics) =>
        [.. topics.SelectMany(t => known.Find(t.Topic) is { } topic ? t.Partitions.Select(p => new AssignedPartition(topic.Id, p)) : [])];

    /// <summary>Partitions by the names of their topics; topics that are gone are left out.</summary>
    public static ConsumerProtocolAssignment AssignmentOf(TopicStore known, IEnumerable<AssignedPartition> partitions) => new()
    {
        AssignedPartitions = [.. partitions.GroupBy(p => known.Find(p.TopicId)?.Name).Where(t => t.Key is not null).OrderBy(t => t.Key,
            StringComparer.Ordinal)
            .Select(t => new ConsumerProtocolAssignment.AssignedItem
            {
                Topic = t.Key!, Partitions = [.. t.Select(p => p.Partition).Order()],
            })],
    };

    private static short ReadVersion(ref KafkaReader reader)
    {
        short version = reader.ReadInt16();
        return version < 0
            ? throw new MalformedRequestException($"The consumer protocol has no version {version}.")
            : Math.Min(version, ConsumerProtocolSubscription.MaxVersion);
    }
}
