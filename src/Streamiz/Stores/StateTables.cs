namespace KafkaEventSourcing.Streamiz;

/// <summary>How the stores of one run are kept.</summary>
internal sealed class StateTables
{
    /// <summary>Makes those of one run.</summary>
    public StateTables() => Checkpoints = new DurableCheckpoints(Ownership = new ThreadOwnership());

    /// <summary>
    /// How many bytes of values each task keeps decoded of a store, changed or not. Default 16 MiB. 0: each change is written at once, as a
    /// test wants it.
    /// </summary>
    public long CacheBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>Who may write them.</summary>
    public ThreadOwnership Ownership { get; }

    /// <summary>What says how far stores are restored: it is Streamiz' <c>OffsetCheckpointManager</c> in the same run.</summary>
    public DurableCheckpoints Checkpoints { get; }
}
