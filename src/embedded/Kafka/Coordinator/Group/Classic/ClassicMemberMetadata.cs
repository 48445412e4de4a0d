namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// What a member of the classic protocol joined with; a consumer group keeps it for as long as the member is in it, and for a downgrade.
/// </summary>
internal sealed record ClassicMemberMetadata(int SessionTimeoutMs, IReadOnlyList<(string Name, byte[] Metadata)> SupportedProtocols)
{
    /// <summary>The protocol that the member prefers: in a consumer group nobody assigns, so that any serves.</summary>
    public (string Name, byte[] Metadata) Protocol => SupportedProtocols[0];

    public bool Equals(ClassicMemberMetadata? other) =>
        other is not null
            && SessionTimeoutMs == other.SessionTimeoutMs
            && ClassicGroupMember.AreSame(SupportedProtocols, other.SupportedProtocols);

    public override int GetHashCode() => HashCode.Combine(SessionTimeoutMs, SupportedProtocols.Count);
}
