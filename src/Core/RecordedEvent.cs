namespace KafkaEventSourcing;

/// <summary>
/// A committed event, of a type that the code of today has: as it is in the log, or as what is in the log is upcast to.
/// </summary>
public sealed class RecordedEvent
{
    /// <summary>The aggregate that the event belongs to.</summary>
    public required AggregateId AggregateId { get; init; }

    /// <summary>
    /// The aggregate's version after this event: 1, 2, 3 … without gap in the log. What is passed over, or upcast to no event, is not seen,
    /// and events that one is upcast to have one version.
    /// </summary>
    public required long Version { get; init; }

    /// <summary>The event, of a type that the aggregate declares.</summary>
    public required object Payload { get; init; }

    /// <summary>The partition of the events topic.</summary>
    public required int Partition { get; init; }

    /// <summary>The offset in the partition. Offsets ascend; transaction markers leave gaps.</summary>
    public required long Offset { get; init; }

    /// <summary>
    /// Which of the events that one event of the log is upcast to, from 0 on. Aggregate type, aggregate id, version and part name an event
    /// for good.
    /// </summary>
    public int Part { get; init; }

    /// <summary>How many events the event of the log is upcast to; 1 for nearly all.</summary>
    public int Parts { get; init; } = 1;

    /// <summary>When the command that caused the event was created, UTC.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The command that caused the event.</summary>
    public required CommandId CommandId { get; init; }

    /// <summary>How many bytes it has as it is encoded; 0: it was not read from a log.</summary>
    public int Bytes { get; init; }

    /// <summary>What the event is correlated with; the command id unless the sender said otherwise.</summary>
    public string? CorrelationId { get; init; }

    /// <summary>
    /// W3C trace context (<c>traceparent</c>) of the decision that made the event; null: it has none, or nobody listens to this library's
    /// activity source.
    /// </summary>
    public string? TraceParent { get; init; }

    /// <summary>What belongs to <see cref="TraceParent"/> (<c>tracestate</c>).</summary>
    public string? TraceState { get; init; }
}
