using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Crash;

/// <summary>What a producer learned of a record.</summary>
internal enum Fate
{
    Unknown,
    Acknowledged,
    Failed,
}

internal enum Outcome
{
    Unknown,
    Committed,
    Aborted,
}

/// <summary>How a producer's records in a partition may look.</summary>
[Flags]
internal enum LaneRules
{
    None = 0,

    /// <summary>Idempotent: nothing that was sent is missing before what arrived.</summary>
    NoGaps = 1,

    /// <summary>Only the last record of each key is kept.</summary>
    Compacted = 2,

    /// <summary>Transactional.</summary>
    Transactional = 4,
}

/// <summary>One producer's records in one partition, in the order in which they were sent. Thread-safe.</summary>
internal sealed class Lane(int producer, TopicPartition partition, LaneRules rules)
{
    public const int Keys = 20;
    private readonly Lock _lock = new();
    private readonly List<(Fate Fate, long Offset)> _sent = [];

    public int Producer => producer;

    public TopicPartition Partition => partition;

    public LaneRules Rules => rules;

    public int Count
    {
        get
        {
            lock (_lock)
                return _sent.Count;
        }
    }

    public int Next()
    {
        lock (_lock)
        {
            _sent.Add((Fate.Unknown, -1));
            return _sent.Count - 1;
        }
    }

    public void Told(int sequence, Fate fate, long offset)
    {
        lock (_lock)
            _sent[sequence] = (fate, offset);
    }

    public (Fate Fate, long Offset)[] Snapshot()
    {
        lock (_lock)
            return [.. _sent];
    }
}

/// <summary>A transaction, as its producer knows it. One writer.</summary>
internal sealed class SentTransaction(int id)
{
    private volatile Outcome _outcome;

    public int Id => id;

    public List<(Lane Lane, int Sequence)> Records { get; } = [];

    /// <summary>The consumer's offset that it commits; -1: none.</summary>
    public long Position { get; set; } = -1;

    public Outcome Outcome
    {
        get => _outcome;
        set => _outcome = value;
    }
}
