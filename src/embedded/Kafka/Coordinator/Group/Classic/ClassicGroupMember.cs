using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>One member of a group of the classic protocol.</summary>
internal sealed class ClassicGroupMember
{
    public required string Id { get; set; }

    public string? InstanceId { get; init; }

    public required string ClientId { get; init; }

    public required string ClientHost { get; init; }

    public TimeSpan SessionTimeout { get; set; }

    public TimeSpan RebalanceTimeout { get; set; }

    /// <summary>Protocols in the order in which the member prefers them, with what it says to each.</summary>
    public List<(string Name, byte[] Metadata)> Protocols { get; set; } = [];

    public byte[] Assignment { get; set; } = [];

    /// <summary>Set while the member waits for the rebalance to complete.</summary>
    public TaskCompletionSource<JoinGroupResponse>? Joining { get; set; }

    /// <summary>Set while the member waits for its assignment.</summary>
    public TaskCompletionSource<SyncGroupResponse>? Syncing { get; set; }

    public byte[] MetadataOf(string? protocol) => Protocols.FirstOrDefault(p => p.Name == protocol).Metadata ?? [];

    public static bool AreSame(IReadOnlyList<(string Name, byte[] Metadata)> protocols,
        IReadOnlyList<(string Name, byte[] Metadata)> others) =>
        protocols.Count == others.Count
            && protocols.Zip(others).All(p => p.First.Name == p.Second.Name && p.First.Metadata.AsSpan().SequenceEqual(p.Second.Metadata));

    public void CompleteJoin(JoinGroupResponse response)
    {
        Joining?.TrySetResult(response);
        Joining = null;
    }

    public void CompleteSync(SyncGroupResponse response)
    {
        Syncing?.TrySetResult(response);
        Syncing = null;
    }
}
