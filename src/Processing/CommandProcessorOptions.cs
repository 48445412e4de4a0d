namespace KafkaEventSourcing.Processing;

/// <summary>How the partition tasks of one aggregate type work.</summary>
public sealed record CommandProcessorOptions
{
    /// <summary>What a partition has at least of what the partitions of a node share: 256 KiB.</summary>
    public const long MinShare = 256 * 1024;

    /// <summary>The folder of the state stores, one below it for each partition.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>The most commands of one transaction. Default 2,000.</summary>
    public int MaxBatchCommands { get; init; } = 2_000;

    /// <summary>
    /// The most bytes of one transaction, but for a single command that has or makes more: of its commands; and of the events that they
    /// make, the answers, and the aggregates that they are decided on. Default 4 MiB.
    /// </summary>
    public long MaxBatchBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>
    /// The most command bytes that wait on this node, shared evenly by its partitions of the aggregate type (<see cref="MinShare"/> each at
    /// least); beyond its share a partition pauses at the command topic, and the direct door refuses. Default 64 MiB.
    /// </summary>
    public long MaxWaitingBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>The largest command at the direct door, in bytes of its encoded value. Default 900,000, as at the command topic.</summary>
    public int MaxCommandBytes { get; init; } = 900_000;

    /// <summary>
    /// The largest event, in bytes of its encoded value; a command that would make a larger one is answered as faulted. Default 900,000,
    /// below Kafka's own default limit of a record batch.
    /// </summary>
    public int MaxEventBytes { get; init; } = 900_000;

    /// <summary>After how many events a snapshot barrier is written. Default 50,000.</summary>
    public int BarrierEvents { get; init; } = 50_000;

    /// <summary>
    /// After how many bytes of changed states a snapshot barrier is written, though there were fewer events: a barrier is one transaction,
    /// which must end in <see cref="TransactionTimeout"/>. Default 64 MiB.
    /// </summary>
    public long BarrierBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>
    /// The compacted topic in which event streams keep snapshots of this aggregate type, exactly once. Given, a partition is restored from
    /// it and the events behind, and writes no snapshots: its barriers only say how far it has come. Null, the default: barriers have
    /// snapshots.
    /// </summary>
    public string? StreamSnapshots { get; init; }

    /// <summary>How many other nodes keep a warm copy of each partition's state. Default 0.</summary>
    public int Standbys { get; init; }

    /// <summary>
    /// How many events since the last barrier make one worth writing when the partition is handed over, if they changed few aggregates.
    /// Default 5,000.
    /// </summary>
    public int HandOverBarrierEvents { get; init; } = 5_000;

    /// <summary>
    /// How many command ids are remembered per aggregate; with another number the stores are filled again. Default 256: an id that is sent
    /// again later than that many commands of its aggregate is taken as new.
    /// </summary>
    public int RecentCommands { get; init; } = 256;

    /// <summary>
    /// About how many bytes of memory aggregates may take that are kept in front of the stores, shared evenly by this node's partitions of
    /// the aggregate type (<see cref="MinShare"/> each at least). Default 64 MiB.
    /// </summary>
    public long CachedBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>After what time Kafka aborts the transaction of a writer that went silent. Default 15 s.</summary>
    public TimeSpan TransactionTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// The id of this node: it stays a member of its group over a restart (static membership), so that nothing moves when it is back within
    /// <see cref="SessionTimeout"/>. Null, the default: it is a new member each time, and its partitions move at once when it ends.
    /// </summary>
    public string? NodeId { get; init; }

    /// <summary>
    /// After what silence of a node its partitions go to others. Default 20 s; Kafka's brokers allow 6 s to 30 min unless told otherwise.
    /// </summary>
    public TimeSpan SessionTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// How often it is looked whether the topics are those that were left: a topic that was made again or has lost records halts its
    /// partitions. Default 10 s.
    /// </summary>
    public TimeSpan TopicCheckInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long a caller of the direct door waits for the outcome, about: it is looked fifty times in that time, and at least once a
    /// second, who has waited for longer. Null, the default: as long as it takes.
    /// </summary>
    public TimeSpan? AnswerTimeout { get; init; }

    /// <summary>
    /// Whether to serve although the log has events of types that the code does not have. Default false: the start is refused. Set,
    /// aggregates that have such events are parked when they are restored.
    /// </summary>
    public bool IgnoreUnknownEvents { get; init; }

    /// <summary>How the state stores use memory and files.</summary>
    public StateStoreOptions StateStores { get; init; } = new();

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidInputException">One is out of range; the message names it.</exception>
    public void Validate()
    {
        Check(MaxBatchCommands, nameof(MaxBatchCommands));
        Check(MaxBatchBytes, nameof(MaxBatchBytes));
        Check(MaxCommandBytes, nameof(MaxCommandBytes));
        Check(MaxEventBytes, nameof(MaxEventBytes));
        Check(BarrierEvents, nameof(BarrierEvents));
        Check(HandOverBarrierEvents, nameof(HandOverBarrierEvents));
        Check(RecentCommands, nameof(RecentCommands));
        Check(BarrierBytes, nameof(BarrierBytes));
        Check(CachedBytes, nameof(CachedBytes));
        Check(MaxWaitingBytes, nameof(MaxWaitingBytes));
        StateStores.Validate();
        if (StreamSnapshots is { } topic && string.IsNullOrWhiteSpace(topic))
            throw new InvalidInputException(nameof(StreamSnapshots),
                $"{nameof(StreamSnapshots)} is empty; it must be the name of a topic, or be left out.");
        if (Standbys < 0)
            throw new InvalidInputException(nameof(Standbys), $"{nameof(Standbys)} is {Standbys}; it must not be negative.");
        if (SessionTimeout < TimeSpan.FromSeconds(1))
            throw new InvalidInputException(nameof(SessionTimeout),
                $"{nameof(SessionTimeout)} is {SessionTimeout}; it must be at least a second.");
        if (TopicCheckInterval < TimeSpan.FromMilliseconds(100))
            throw new InvalidInputException(nameof(TopicCheckInterval),
                $"{nameof(TopicCheckInterval)} is {TopicCheckInterval}; it must be at least 100 ms.");
        if (AnswerTimeout is { } limit && limit <= TimeSpan.Zero)
            throw new InvalidInputException(nameof(AnswerTimeout),
                $"{nameof(AnswerTimeout)} is {limit}; it must be positive, or be left out.");
        if (TransactionTimeout < TimeSpan.FromSeconds(1))
            throw new InvalidInputException(nameof(TransactionTimeout),
                $"{nameof(TransactionTimeout)} is {TransactionTimeout}; it must be at least a second.");
    }

    /// <summary>The folder of the store of <paramref name="partition"/>.</summary>
    internal string StoreOf(int partition) => Path.Combine(StateDirectory,
        partition.ToString(System.Globalization.CultureInfo.InvariantCulture));

    private static void Check(long value, string name)
    {
        if (value < 1)
            throw new InvalidInputException(name, $"{name} is {value}; it must be at least 1.");
    }
}
