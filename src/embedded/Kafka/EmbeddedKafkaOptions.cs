namespace KafkaEventSourcing.Embedded.Kafka;

/// <summary>How an embedded broker runs.</summary>
public sealed record EmbeddedKafkaOptions
{
    /// <summary>The data folder; null: a temporary one that is deleted when the broker is disposed.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>The address to listen on. Default 127.0.0.1.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>The port; 0, the default, takes a free one.</summary>
    public int Port { get; init; }

    /// <summary>The host name that clients are told; null: <see cref="Host"/>.</summary>
    public string? AdvertisedHost { get; init; }

    /// <summary>Partitions of a topic that is created without a count. Default 1.</summary>
    public int DefaultPartitions { get; init; } = 1;

    /// <summary>Whether a topic that a client asks for is created. Default false.</summary>
    public bool AutoCreateTopics { get; init; }

    /// <summary>The largest request, in bytes. Default 100 MiB, as Kafka's <c>socket.request.max.bytes</c>.</summary>
    public int MaxRequestBytes { get; init; } = 100 * 1024 * 1024;

    /// <summary>How often retention and compaction run. Default 15 s.</summary>
    public TimeSpan CleanInterval { get; init; } = TimeSpan.FromSeconds(15);
}
