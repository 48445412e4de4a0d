namespace KafkaEventSourcing.Hosting.Http;

/// <summary>The answer to an accepted command.</summary>
/// <param name="CommandId">The command.</param>
/// <param name="AggregateId">The aggregate that decided.</param>
/// <param name="Version">Its version after the command.</param>
/// <param name="Token">Hand it to a read to see at least this state.</param>
/// <param name="Duplicate">Whether the id had been decided before, and this is the first outcome told again.</param>
internal sealed record CommandOutcome(string CommandId, string AggregateId, long Version, string Token, bool Duplicate);
