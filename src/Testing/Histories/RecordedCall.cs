namespace KafkaEventSourcing.Testing;

/// <summary>One call of one caller: a command, or a read.</summary>
/// <param name="Caller">Who called, for people.</param>
/// <param name="AggregateId">The aggregate that was asked.</param>
/// <param name="Command">The command as it was sent; null: a read.</param>
/// <param name="Started">When the call began, as a timestamp of the <see cref="TimeProvider"/>.</param>
/// <param name="Answer">How it returned; null: it had not when the history was taken.</param>
public sealed record RecordedCall(string Caller, AggregateId AggregateId, CommandEnvelope? Command, long Started, CallAnswer? Answer)
{
    /// <summary>What a read promised. An eventual one may show any state that was current at some time before its end.</summary>
    public ReadConsistency Consistency { get; init; } = ReadConsistency.Strong;

    /// <summary>What was asked and what was told, in one line for people.</summary>
    public string Told => Timeline.Told(this);
}
