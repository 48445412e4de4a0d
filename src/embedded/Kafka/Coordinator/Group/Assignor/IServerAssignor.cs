using System.Collections.Immutable;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>What an assignor sees of a member.</summary>
internal sealed record AssigneeSpec(string Id, string? InstanceId, IReadOnlySet<string> Topics,
    ImmutableHashSet<AssignedPartition> Present);

/// <summary>Decides who gets which partition. Pure: the same input gives the same assignment.</summary>
internal interface IServerAssignor
{
    Dictionary<string, HashSet<AssignedPartition>> Assign(
        IReadOnlyList<AssigneeSpec> members, IReadOnlyDictionary<string, SubscribedTopic> topics);
}
