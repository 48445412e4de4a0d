namespace KafkaEventSourcing.Hosting.Health;

/// <summary>What <c>/health/ready</c> says.</summary>
/// <param name="Status"><c>ready</c>, <c>degraded</c> (ready, and somebody should look), or <c>not-ready</c>.</param>
/// <param name="Phase">Where the node is between its start and its end.</param>
/// <param name="Checks">What was looked at, by name; none before the node serves.</param>
internal sealed record HealthReport(string Status, string Phase, IReadOnlyDictionary<string, HealthLine> Checks)
{
    public const string Ready = "ready";
    public const string Degraded = "degraded";
    public const string NotReady = "not-ready";

    /// <summary>Whether commands and reads may be sent here.</summary>
    public bool IsReady => Status != NotReady;

    /// <summary>
    /// The report of <paramref name="checks"/>; <paramref name="isServing"/>: the phase is one in which a node decides and answers.
    /// </summary>
    public static HealthReport Of(string phase, bool isServing, IEnumerable<NodeCheck> checks)
    {
        var lines = new SortedDictionary<string, HealthLine>(StringComparer.Ordinal);
        CheckStatus worst = isServing ? CheckStatus.Ok : CheckStatus.Failing;
        foreach (NodeCheck check in checks)
        {
            CheckResult result = check.Look();
            lines[check.Name] = new HealthLine(NameOf(result.Status), result.Reason);
            worst = result.Status > worst ? result.Status : worst;
        }

        return new HealthReport(worst switch { CheckStatus.Ok => Ready, CheckStatus.Degraded => Degraded, _ => NotReady }, phase, lines);
    }

    private static string NameOf(CheckStatus status) => status switch { CheckStatus.Ok => "ok", CheckStatus.Degraded => "degraded", _ =>
        "failing" };
}

/// <summary>One check of a <see cref="HealthReport"/>.</summary>
/// <param name="Status"><c>ok</c>, <c>degraded</c> or <c>failing</c>.</param>
/// <param name="Reason">Why; null when it is ok.</param>
internal sealed record HealthLine(string Status, string? Reason);
