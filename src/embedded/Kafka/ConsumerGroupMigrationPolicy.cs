namespace KafkaEventSourcing.Embedded.Kafka;

/// <summary>
/// How a group with members may change its protocol (Kafka's <c>group.consumer.migration.policy</c>). A group without members always may.
/// </summary>
[Flags]
public enum ConsumerGroupMigrationPolicy
{
    /// <summary>Not at all.</summary>
    Disabled = 0,

    /// <summary>A classic group becomes a consumer group when a consumer of the consumer protocol joins it.</summary>
    Upgrade = 1,

    /// <summary>A consumer group becomes a classic one when the last consumer of the consumer protocol is gone and others remain.</summary>
    Downgrade = 2,

    /// <summary>Both ways.</summary>
    Bidirectional = Upgrade | Downgrade,
}
