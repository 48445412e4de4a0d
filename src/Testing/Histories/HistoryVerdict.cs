using System.Globalization;

namespace KafkaEventSourcing.Testing;

/// <summary>What a checker says of a history.</summary>
public sealed record HistoryVerdict
{
    /// <summary>The first violation in time; null: a legal order exists.</summary>
    public HistoryViolation? Violation { get; init; }

    /// <summary>Whether a legal order exists.</summary>
    public bool IsLegal => Violation is null;

    /// <summary>Aggregates that were called or have events.</summary>
    public required int Aggregates { get; init; }

    /// <summary>Events in the log.</summary>
    public required int Events { get; init; }

    /// <summary>Commands that were sent, each sending counted.</summary>
    public required int Commands { get; init; }

    /// <summary>Sendings of an id that had been sent before.</summary>
    public required int SentAgain { get; init; }

    /// <summary>Commands that were answered with a conflict.</summary>
    public required int Conflicts { get; init; }

    /// <summary>Commands that were answered with a rejection.</summary>
    public required int Rejections { get; init; }

    /// <summary>Commands without an answer.</summary>
    public required int UnknownOutcomes { get; init; }

    /// <summary>Strong reads that were answered.</summary>
    public required int Reads { get; init; }

    /// <summary>The figures, and the violation if there is one.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Events:N0} events of {Aggregates:N0} aggregates; {Commands:N0} commands, {SentAgain:N0} of them sent again, {Conflicts:N0} "
            + $"conflicts, {Rejections:N0} rejections, {UnknownOutcomes:N0} unknown; {Reads:N0} strong "
            + $"reads: {(Violation is null ? "a legal order exists" : $"no legal order exists{Environment.NewLine}{Violation}")}");
}
