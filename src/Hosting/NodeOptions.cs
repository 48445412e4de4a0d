namespace KafkaEventSourcing.Hosting;

/// <summary>How one node of an application runs.</summary>
public sealed record NodeOptions
{
    /// <summary>The folder of the state stores; created when it is missing. One node a folder.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>Partitions of a topic that has to be created. Default 4; a keyed topic cannot be given more later.</summary>
    public int Partitions { get; init; } = 4;

    /// <summary>Replicas of a topic that has to be created. Default -1: 3, or as many as there are brokers; where there is one broker, its own default.</summary>
    public short ReplicationFactor { get; init; } = -1;

    /// <summary>Whether to serve on topics that lose what is the truth, as events that are deleted after a week; they are told all the same. Default false: such a node does not start.</summary>
    public bool AcceptDataLoss { get; init; }

    /// <summary>How long a caller waits for the outcome of one command. Default 30 s.</summary>
    public TimeSpan CommandTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>After how many events of a partition a snapshot barrier is written. Default 50,000.</summary>
    public int BarrierEvents { get; init; } = 50_000;

    /// <summary>How long start-up may take until every partition serves. Default 5 min.</summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The id of this node among its fellows, 1 to 128 letters, digits, dots, hyphens and underscores. Given, the node stays a member of its groups over a restart, and nothing moves when it is back within
    /// <see cref="SessionTimeout"/>. Null, the default: a new id each time, and its partitions move as soon as it ends.</summary>
    public string? NodeId { get; init; }

    /// <summary>After what silence of a node its partitions go to others. Default 20 s.</summary>
    public TimeSpan SessionTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>The most bytes of commands that wait on this node, of each aggregate type; beyond it the command topic is paused and the direct door refuses. Null, the default: by the memory that the process may have.</summary>
    public long? MaxWaitingBytes { get; init; }

    /// <summary>How many other nodes keep a warm copy of each partition's state. Default 0.</summary>
    public int Standbys { get; init; }

    /// <summary>How long a strong read looks for an owner that answers, while partitions move. Default 10 s.</summary>
    public TimeSpan ReadTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>What nodes show one another; all nodes of an application have the same one. Null, the default: whoever reaches a node's <c>/_node/</c> paths is answered.</summary>
    public NodeSecret? NodeSecret { get; init; }

    /// <summary>For how long Kafka may be silent, or one transaction under way, before the node says that it is not ready. Default 10 s.</summary>
    public TimeSpan BrokerSilence { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Whether to serve although the log has events of types that the application does not have. Default false: the start is refused, and names them.</summary>
    public bool IgnoreUnknownEvents { get; init; }

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidInputException">One is out of range; the message names it.</exception>
    public void Validate()
    {
        if (string.IsNullOrWhiteSpace(DataDirectory))
            throw new InvalidInputException("--data", "The data folder's name is empty.");
        if (Partitions is < 1 or > 10_000)
            throw new InvalidInputException("--partitions", $"--partitions is {Partitions}; it must be from 1 to 10,000.");
        if (ReplicationFactor is not -1 and < 1)
            throw new InvalidInputException("--replication-factor", $"--replication-factor is {ReplicationFactor}; it must be at least 1, or be left out.");
        if (NodeId is { } id && (id.Length is 0 or > 128 || !id.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_')))
            throw new InvalidInputException("--node-id", $"--node-id is '{id}'; it must have 1 to 128 letters, digits, dots, hyphens and underscores.");
        if (SessionTimeout < TimeSpan.FromSeconds(1))
            throw new InvalidInputException("--session-timeout", $"--session-timeout is {SessionTimeout.TotalSeconds:0.#} s; it must be at least 1, and what the brokers allow.");
        if (MaxWaitingBytes is < 1)
            throw new InvalidInputException(nameof(MaxWaitingBytes), $"{nameof(MaxWaitingBytes)} is {MaxWaitingBytes}; it must be positive.");
        if (Standbys is < 0 or > 100)
            throw new InvalidInputException("--standbys", $"--standbys is {Standbys}; it must be from 0 to 100.");
        if (ReadTimeout <= TimeSpan.Zero)
            throw new InvalidInputException(nameof(ReadTimeout), $"{nameof(ReadTimeout)} is {ReadTimeout}; it must be positive.");
        if (BrokerSilence < TimeSpan.FromSeconds(1))
            throw new InvalidInputException(nameof(BrokerSilence), $"{nameof(BrokerSilence)} is {BrokerSilence}; it must be at least 1 s.");
        if (CommandTimeout <= TimeSpan.Zero)
            throw new InvalidInputException(nameof(CommandTimeout), $"{nameof(CommandTimeout)} is {CommandTimeout}; it must be positive.");
    }
}
