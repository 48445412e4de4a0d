using KafkaEventSourcing.Chaos.Faults;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Chaos.Verdict;

/// <summary>What one run has shown.</summary>
internal sealed record ChaosResult
{
    public required long Seed { get; init; }

    /// <summary>What must not have happened; empty: all is well.</summary>
    public required IReadOnlyList<ChaosViolation> Violations { get; init; }

    /// <summary>Per aggregate type, what the history checker says.</summary>
    public required IReadOnlyDictionary<string, HistoryVerdict> Verdicts { get; init; }

    public required IReadOnlyList<InjectedFault> Faults { get; init; }

    /// <summary>Per aggregate type, all calls.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<RecordedCall>> Calls { get; init; }

    /// <summary>Per aggregate type, the events of this run.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<RecordedEvent>> Events { get; init; }
}
