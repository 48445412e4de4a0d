namespace KafkaEventSourcing.Testing;

/// <summary>Why no legal order of a history exists.</summary>
/// <param name="Rule">What was violated.</param>
/// <param name="AggregateId">Where; null: across aggregates.</param>
/// <param name="Message">One sentence with the figures that matter.</param>
/// <param name="Timeline">The calls and log entries around it, one a line; those that contradict each other are marked with
/// <c>&gt;</c>.</param>
public sealed record HistoryViolation(HistoryRule Rule, AggregateId? AggregateId, string Message, string Timeline)
{
    /// <summary>Rule, aggregate, message and timeline, for people.</summary>
    public override string ToString() =>
        $"{Rule}{(AggregateId is { } id ? $", aggregate {id}" : "")}: {Message}{Environment.NewLine}{Timeline}";
}
