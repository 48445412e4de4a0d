namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>How read models are kept in MongoDB.</summary>
public sealed record MongoProjectionOptions
{
    /// <summary>Where read models are: a URI with the replica set or <c>mongodb+srv</c>; TLS and credentials are part of it.</summary>
    public required string ConnectionString { get; init; }

    /// <summary>The database's name.</summary>
    public required string Database { get; init; }

    /// <summary>The collection of the checkpoints. Default <c>checkpoints</c>.</summary>
    public string CheckpointCollection { get; init; } = "checkpoints";

    /// <summary>
    /// The pause before the first retry of a failed write; doubled, with jitter, up to <see cref="MaxRetryDelay"/>. Default 100 ms.
    /// </summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest pause between two retries. Default 10 s. Retries never end: lag grows, nothing is lost.</summary>
    public TimeSpan MaxRetryDelay { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidInputException">One is unusable; the message names it.</exception>
    public void Validate()
    {
        if (string.IsNullOrWhiteSpace(ConnectionString))
            throw new InvalidInputException("mongodb",
                "The MongoDB connection string is empty; give one such as mongodb://host:27017/?replicaSet=rs0.");
        if (string.IsNullOrWhiteSpace(Database))
            throw new InvalidInputException(nameof(Database), "The MongoDB database name is empty.");
        if (RetryDelay <= TimeSpan.Zero || MaxRetryDelay < RetryDelay)
            throw new InvalidInputException(nameof(RetryDelay),
                $"{nameof(RetryDelay)} is {RetryDelay} and {nameof(MaxRetryDelay)} {MaxRetryDelay}; both must be positive and the second "
                    + $"the longer.");
    }

    /// <summary>The options without the password, for logs.</summary>
    public override string ToString() => $"MongoDB {MongoAddress.Redact(ConnectionString)}, database {Database}";
}
