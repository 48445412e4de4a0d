namespace KafkaEventSourcing.Testing;

/// <summary>One call of one caller: a command, or a strong read.</summary>
/// <param name="Caller">Who called, for people.</param>
/// <param name="AggregateId">The aggregate that was asked.</param>
/// <param name="Command">The command as it was sent; null: a strong read.</param>
/// <param name="Started">When the call began, as a timestamp of the <see cref="TimeProvider"/>.</param>
/// <param name="Answer">How it returned; null: it had not when the history was taken.</param>
public sealed record RecordedCall(string Caller, AggregateId AggregateId, CommandEnvelope? Command, long Started, CallAnswer? Answer);
