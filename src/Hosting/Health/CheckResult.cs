namespace KafkaEventSourcing.Hosting.Health;

/// <summary>What a check has found. <c>default</c>: all is well.</summary>
/// <param name="Status">How it is.</param>
/// <param name="Reason">Why, for a person; null when there is nothing to say.</param>
public readonly record struct CheckResult(CheckStatus Status, string? Reason)
{
    /// <summary>All is well.</summary>
    public static CheckResult Ok => default;

    /// <summary>The node goes on, and <paramref name="reason"/> says what somebody should look at.</summary>
    public static CheckResult Degraded(string reason) => new(CheckStatus.Degraded, reason);

    /// <summary>The node cannot decide and answer now, and <paramref name="reason"/> says why.</summary>
    public static CheckResult Failing(string reason) => new(CheckStatus.Failing, reason);
}
