using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>A member of a consumer group.</summary>
internal sealed class GroupMember
{
    public required string Id { get; set; }

    public string? InstanceId { get; init; }

    public required string ClientId { get; init; }

    public required string ClientHost { get; init; }

    public TimeSpan SessionTimeout { get; set; }

    public TimeSpan RebalanceTimeout { get; set; }

    public List<(string Name, byte[] Metadata)> Protocols { get; set; } = [];

    public byte[] Assignment { get; set; } = [];

    /// <summary>When the member was last heard of.</summary>
    public DateTimeOffset LastSeen { get; set; }

    /// <summary>Set while the member waits for the others to join.</summary>
    public TaskCompletionSource<JoinGroupResponse>? Joining { get; set; }

    /// <summary>Set while the member waits for its assignment.</summary>
    public TaskCompletionSource<SyncGroupResponse>? Syncing { get; set; }

    public bool HasSameProtocols(List<(string Name, byte[] Metadata)> others) =>
        Protocols.Count == others.Count && Protocols.Zip(others).All(p => p.First.Name == p.Second.Name && p.First.Metadata.AsSpan().SequenceEqual(p.Second.Metadata));
}
