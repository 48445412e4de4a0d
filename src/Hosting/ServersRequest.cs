namespace KafkaEventSourcing.Hosting;

/// <summary>What embedded servers are asked for.</summary>
public sealed record ServersRequest
{
    /// <summary>The servers that were named, which are not started.</summary>
    public required ServerAddresses Addresses { get; init; }

    /// <summary>The folder of their data; created when it is missing.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>Whether MongoDB is needed; else none is started. Default true.</summary>
    public bool MongoDB { get; init; } = true;

    /// <summary>Replicas of topics that the servers create for themselves. Default -1: 3, or as many as there are brokers.</summary>
    public short ReplicationFactor { get; init; } = -1;

    /// <summary>Values of <see cref="IEmbeddedServers.Settings"/>, by their names; the others have their defaults.</summary>
    public IReadOnlyDictionary<string, int> Settings { get; init; } = new Dictionary<string, int>();
}
