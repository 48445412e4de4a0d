namespace KafkaEventSourcing;

/// <summary>
/// The aggregate is parked: a record of its could not be processed, and until an operator has it processed again or discards it, nothing
/// later of this aggregate is decided. Trying again soon does not help.
/// </summary>
public sealed class AggregateParkedException : Exception
{
    /// <summary>Creates the error.</summary>
    public AggregateParkedException(AggregateId aggregateId, string cause, string message, bool isQueued) : base(message) =>
        (AggregateId, Cause, IsQueued) = (aggregateId, cause, isQueued);

    /// <summary>The aggregate.</summary>
    public AggregateId AggregateId { get; }

    /// <summary>A stable name of what is wrong with the first record that waits.</summary>
    public string Cause { get; }

    /// <summary>
    /// Whether the command is kept in its place: it is decided once the aggregate is processed again, and the same id sent then tells its
    /// outcome. Else it was not taken and has had no effect.
    /// </summary>
    public bool IsQueued { get; }
}
