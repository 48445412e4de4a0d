namespace KafkaEventSourcing;

/// <summary>A command on its way: what to do, to which aggregate, and under which id.</summary>
/// <param name="AggregateId">The aggregate that shall decide.</param>
/// <param name="CommandId">Sending the same id again returns the first outcome and changes nothing.</param>
/// <param name="Payload">The command itself, of a type that the aggregate declares.</param>
public sealed record CommandEnvelope(AggregateId AggregateId, CommandId CommandId, object Payload)
{
    /// <summary>What the sender believes of the version. Default: <see cref="ExpectedVersion.Any"/>.</summary>
    public ExpectedVersion ExpectedVersion { get; init; } = ExpectedVersion.Any;

    /// <summary>When the command was created, UTC; null: the client sets it when it sends.</summary>
    public DateTimeOffset? Time { get; init; }

    /// <summary>Groups all that belongs to one business transaction; null: the command id.</summary>
    public string? CorrelationId { get; init; }

    /// <summary>W3C trace context (<c>traceparent</c>); null: that of the current activity, if any.</summary>
    public string? TraceParent { get; init; }

    /// <summary>
    /// What vendors have to say beside <see cref="TraceParent"/> (<c>tracestate</c>); null: nothing, or what the current activity has.
    /// </summary>
    public string? TraceState { get; init; }
}
