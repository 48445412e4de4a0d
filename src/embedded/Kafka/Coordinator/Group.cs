namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>A group, of either protocol. Used under the coordinator's lock.</summary>
internal abstract class Group(string id)
{
    public string Id => id;

    /// <summary>As ListGroups names it: classic or consumer.</summary>
    public abstract string Type { get; }

    public abstract string ProtocolType { get; }

    public abstract string StateName { get; }

    /// <summary>Whether it has no members.</summary>
    public abstract bool IsEmpty { get; }

    /// <summary>When it lost its last member, or was made; from then on its offsets age.</summary>
    public long StateTimestamp { get; set; }
}
