namespace KafkaEventSourcing.Streamiz;

/// <summary>How the streams of one definition run in a process. They are checked before anything starts; an error names the
/// property.</summary>
public sealed record EventStreamsOptions
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);
    // Of librdkafka, in which a session of less has no room for several heartbeats.
    private static readonly TimeSpan ShortestSession = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestSession = TimeSpan.FromHours(1);
    private static readonly TimeSpan ShortestTransaction = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Whether what is written is committed together with the offsets of what was read: a reader of derived topics that reads what is
    /// committed sees nothing twice. Default true. False: a crash writes again what was not committed; stores and totals are the same.
    /// </summary>
    public bool ExactlyOnce { get; init; } = true;

    /// <summary>How many threads process. Default 1; more than the partitions of the sources do nothing.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>How often it commits. Default 200 ms: derived topics are that much behind.</summary>
    public TimeSpan CommitInterval { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>
    /// After what silence of a process its partitions go to others, from 100 ms to an hour, as far as brokers allow it. Default 20 s. A
    /// process that is stopped leaves at once.
    /// </summary>
    public TimeSpan SessionTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// How long a transaction may be open: longer than <see cref="CommitInterval"/>, at least a second, and at most what brokers allow (15
    /// minutes by default). Default 10 s. What a process has left open when it was killed holds up readers of what is
    /// committed for as long, those of its changelogs among them.
    /// </summary>
    public TimeSpan TransactionTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest wait before a start after a fault; the first is a second, and each is twice as long. Default 1 min.</summary>
    public TimeSpan MaxRestartDelay { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How many records one poll takes. Default 800: more are slower, as they live longer in memory.</summary>
    public int MaxPollRecords { get; init; } = 800;

    /// <summary>How many records of a changelog one poll of a restore takes. Default 20,000.</summary>
    public int MaxPollRestoringRecords { get; init; } = 20_000;

    /// <summary>
    /// The folder of the stores, in which each definition has a folder of its own; created when it is missing. Null, the default: the data
    /// folder of the node, or <c>data/streams</c> below the current folder where there is none.
    /// </summary>
    public string? DataDirectory { get; init; }

    /// <summary>
    /// Replicas of a topic that has to be created. Default -1: 3, or as many as there are brokers; where there is one broker, its own
    /// default.
    /// </summary>
    public short ReplicationFactor { get; init; } = -1;

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidInputException">One is out of range.</exception>
    public void Validate()
    {
        Check(Threads, nameof(Threads), 1_000);
        Check(MaxPollRecords, nameof(MaxPollRecords), 1_000_000);
        Check(MaxPollRestoringRecords, nameof(MaxPollRestoringRecords), 10_000_000);
        Check(CommitInterval, nameof(CommitInterval), Shortest, Longest);
        Check(SessionTimeout, nameof(SessionTimeout), ShortestSession, LongestSession);
        Check(TransactionTimeout, nameof(TransactionTimeout), ShortestTransaction, Longest);
        Check(MaxRestartDelay, nameof(MaxRestartDelay), Shortest, Longest);
        if (ExactlyOnce && CommitInterval >= TransactionTimeout)
            throw new InvalidInputException(nameof(CommitInterval),
                $"{nameof(CommitInterval)} is {CommitInterval}; it must be shorter than {nameof(TransactionTimeout)}, which is "
                    + $"{TransactionTimeout}: brokers would abort transactions before they are committed.");
        if (DataDirectory is not null && string.IsNullOrWhiteSpace(DataDirectory))
            throw new InvalidInputException(nameof(DataDirectory),
                $"{nameof(DataDirectory)} is empty; it must be a folder, or be left out.");
        if (ReplicationFactor is not -1 and < 1)
            throw new InvalidInputException(nameof(ReplicationFactor),
                $"{nameof(ReplicationFactor)} is {ReplicationFactor}; it must be 1 or more, or -1.");
    }

    private static void Check(int value, string name, int most)
    {
        if (value < 1 || value > most)
            throw new InvalidInputException(name, $"{name} is {value}; it must be from 1 to {most:N0}.");
    }

    private static void Check(TimeSpan value, string name, TimeSpan least, TimeSpan most)
    {
        if (value < least || value > most)
            throw new InvalidInputException(name, $"{name} is {value}; it must be from {least} to {most}.");
    }
}
