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

    /// <summary>The memory table that writes go to before they are written out; up to two exist at a time. Default 96 MiB.</summary>
    public long WriteBufferBytes { get; init; } = 96L << 20;

    /// <summary>The cache of blocks read from files. Default 64 MiB.</summary>
    public long BlockCacheBytes { get; init; } = 64L << 20;

    /// <summary>
    /// The most that the keys and values written by one transaction (or one command outside a transaction) may take in memory until it
    /// commits; beyond it the command fails with MongoDB's code 257, TransactionTooLarge. Default 512 MiB.
    /// </summary>
    public long MaxTransactionBytes { get; init; } = 512L << 20;
}
