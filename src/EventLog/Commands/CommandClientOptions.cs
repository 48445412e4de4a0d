namespace KafkaEventSourcing.EventLog;

/// <summary>How a <see cref="CommandClient"/> sends.</summary>
public sealed record CommandClientOptions
{
    /// <summary>How long a caller waits for an outcome. Default 30 s. When it passes, the outcome is not known.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The <c>ce_source</c> of the commands. Default <c>/KafkaEventSourcing/client</c>.</summary>
    public string Source { get; init; } = "/KafkaEventSourcing/client";

    /// <summary>
    /// The largest command, in bytes of its encoded value. Default 900,000, below Kafka's own default limit of a record batch.
    /// </summary>
    public int MaxCommandBytes { get; init; } = 900_000;
}
