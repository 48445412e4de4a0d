namespace KafkaEventSourcing.Embedded.MongoDB;

/// <summary>How an embedded MongoDB runs.</summary>
public sealed record EmbeddedMongoDBOptions
{
    /// <summary>The data folder; null: a temporary one that is deleted when the server is disposed.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>The address to listen on. Default 127.0.0.1.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>The port; 0, the default, takes a free one.</summary>
    public int Port { get; init; }
}
