namespace KafkaEventSourcing.Hosting.Health;

/// <summary>How one thing that a node depends on is.</summary>
public enum CheckStatus
{
    /// <summary>It is as it should be.</summary>
    Ok,

    /// <summary>The node decides and answers, and somebody should look.</summary>
    Degraded,

    /// <summary>The node cannot decide and answer now.</summary>
    Failing,
}
