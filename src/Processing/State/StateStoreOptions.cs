namespace KafkaEventSourcing.Processing;

/// <summary>
/// How state stores use memory and files. Stores of one process with the same sizes share them, however many partitions there are.
/// </summary>
public sealed record StateStoreOptions
{
    private const long MinBytes = 1024 * 1024;
    private const int MinOpenFiles = 16;

    /// <summary>
    /// The most bytes of what was written last, in memory, of all stores together. Null, the default: a sixteenth of the memory that the
    /// process may have, from 8 to 256 MiB.
    /// </summary>
    public long? WriteBufferBytes { get; init; }

    /// <summary>
    /// The most bytes of what was read from files, in memory, of all stores together. Null, the default: half of what is written there by
    /// default.
    /// </summary>
    public long? BlockCacheBytes { get; init; }

    /// <summary>How many files a store keeps open. Default 256; -1: all.</summary>
    public int MaxOpenFiles { get; init; } = 256;

    /// <summary>
    /// Whether a store keeps the events of its aggregates too, but for those of more than 4 KiB, so that the history of an aggregate is
    /// read from it. Default true. False: it keeps their places in the log, from which each is fetched; stores are smaller, and a history
    /// takes a request to Kafka an event.
    /// </summary>
    public bool KeepEvents { get; init; } = true;

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidInputException">One is out of range; the message names it.</exception>
    public void Validate()
    {
        CheckBytes(WriteBufferBytes, nameof(WriteBufferBytes));
        CheckBytes(BlockCacheBytes, nameof(BlockCacheBytes));
        if (MaxOpenFiles is not -1 and < MinOpenFiles)
            throw new InvalidInputException(nameof(MaxOpenFiles),
                $"{nameof(MaxOpenFiles)} is {MaxOpenFiles}; it must be at least {MinOpenFiles}, or -1 for all.");
    }

    private static void CheckBytes(long? bytes, string name)
    {
        if (bytes is < MinBytes)
            throw new InvalidInputException(name, $"{name} is {bytes}; it must be at least 1 MiB, or be left out.");
    }
}
