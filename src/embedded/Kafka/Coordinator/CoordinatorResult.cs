namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// What a handler decided: records, and what follows once they are written and applied. What must outlive a restart changes by records
/// alone.
/// </summary>
internal class CoordinatorResult(IReadOnlyList<CoordinatorRecord> records)
{
    public static CoordinatorResult None { get; } = new([]);

    public IReadOnlyList<CoordinatorRecord> Records => records;

    /// <summary>Whether the records are applied once they are written. A classic group is what its record says already.</summary>
    public bool Replays { get; init; } = true;

    /// <summary>The producer whose transaction the records belong to; -1 without one.</summary>
    public long ProducerId { get; init; } = -1;

    public short ProducerEpoch { get; init; } = -1;

    /// <summary>Runs once the records are written and applied, for deadlines and members that wait; it may decide more.</summary>
    public Func<CoordinatorResult>? Applied { get; init; }

    /// <summary>Runs instead when the log cannot be written at present. Without it, the fault goes to whoever asked.</summary>
    public Func<CoordinatorResult>? Failed { get; init; }

    /// <summary>The same decision with a response.</summary>
    public CoordinatorResult<T> With<T>(T response) => new(Records, response)
    {
        Replays = Replays,
        ProducerId = ProducerId,
        ProducerEpoch = ProducerEpoch,
        Applied = Applied,
        Failed = Failed,
    };
}

/// <summary>A decision with a response, which is given once the records are written and applied.</summary>
internal sealed class CoordinatorResult<T>(IReadOnlyList<CoordinatorRecord> records, T response) : CoordinatorResult(records)
{
    public T Response => response;
}
