namespace KafkaEventSourcing.Testing;

/// <summary>What a history is held to.</summary>
public sealed record HistoryCheckerOptions
{
    /// <summary>
    /// Whether commands that left no event (rejections, conflicts, acceptances without events) are told again whatever happened. A store
    /// that was closed in order, and a snapshot, remember them; a restore from events alone does not, and such an id is then decided anew:
    /// set this to false where nodes are killed. Default true.
    /// </summary>
    public bool RefusalsAreRemembered { get; init; } = true;

    /// <summary>How many timestamps a second has. Default: those of <see cref="TimeProvider.System"/>.</summary>
    public long TimestampFrequency { get; init; } = TimeProvider.System.TimestampFrequency;
}
