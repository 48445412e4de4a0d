namespace KafkaEventSourcing.Hosting.Verification;

/// <summary>What a <see cref="Verifier"/> found.</summary>
public sealed record VerificationReport
{
    /// <summary>The aggregate type.</summary>
    public required string Aggregate { get; init; }

    /// <summary>Events read.</summary>
    public required long Events { get; init; }

    /// <summary>Aggregates folded from the events and compared with the state stores.</summary>
    public required long Aggregates { get; init; }

    /// <summary>Documents folded from the events and compared with the read models.</summary>
    public required long Documents { get; init; }

    /// <summary>How many differences there are.</summary>
    public required long DifferenceCount { get; init; }

    /// <summary>The first of them, in words.</summary>
    public required IReadOnlyList<string> Differences { get; init; }

    /// <summary>Whether events, state stores and read models agree.</summary>
    public bool IsConsistent => DifferenceCount == 0;
}
