namespace KafkaEventSourcing;

/// <summary>
/// What a decision may know besides state and command. Time comes in with the command, so deciding it again gives the same answer.
/// </summary>
/// <param name="AggregateId">The aggregate that decides.</param>
/// <param name="CommandId">The command's id.</param>
/// <param name="Time">When the sender created the command, UTC.</param>
/// <param name="Version">The aggregate's version before the command; 0 when it has no events.</param>
public readonly record struct CommandContext(AggregateId AggregateId, CommandId CommandId, DateTimeOffset Time, long Version);
