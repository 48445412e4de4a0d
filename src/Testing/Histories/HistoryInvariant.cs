namespace KafkaEventSourcing.Testing;

/// <summary>Something that must hold over all aggregates once a history has come to rest, such as money conserved.</summary>
/// <param name="Name">What holds, for people.</param>
/// <param name="Check">Says what is wrong, or null.</param>
public sealed record HistoryInvariant(string Name, Func<IReadOnlyCollection<FinalState>, string?> Check);
