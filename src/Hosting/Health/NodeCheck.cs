namespace KafkaEventSourcing.Hosting.Health;

/// <summary>
/// One line of a node's health: a name that stays the same, and a look that must be quick, must not throw, and may come from any thread.
/// </summary>
/// <param name="Name">A stable name in lower case, such as <c>kafka</c>.</param>
/// <param name="Look">Tells how it is now, from what is known already: it asks no server.</param>
public sealed record NodeCheck(string Name, Func<CheckResult> Look);
