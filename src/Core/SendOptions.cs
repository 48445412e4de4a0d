namespace KafkaEventSourcing;

/// <summary>What goes with a command that is sent.</summary>
public sealed record SendOptions
{
    /// <summary>What the sender believes of the aggregate's version. Default: <see cref="ExpectedVersion.Any"/>.</summary>
    public ExpectedVersion ExpectedVersion { get; init; } = ExpectedVersion.Any;

    /// <summary>
    /// The idempotency key: sending the same id again returns the first outcome and changes nothing. <c>default</c>, the default: a new id,
    /// so that the same command sent again takes effect again. Whoever retries after an exception sets it.
    /// </summary>
    public CommandId CommandId { get; init; }

    /// <summary>Groups all that belongs to one business transaction. Null, the default: the command id.</summary>
    public string? CorrelationId { get; init; }

    /// <summary>
    /// When the command was created, UTC; the domain sees it as <see cref="CommandContext.Time"/>. Null, the default: now.
    /// </summary>
    public DateTimeOffset? Time { get; init; }

    /// <summary>W3C trace context (<c>traceparent</c>). Null, the default: that of the current activity, if any.</summary>
    public string? TraceParent { get; init; }
}
