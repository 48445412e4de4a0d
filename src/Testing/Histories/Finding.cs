namespace KafkaEventSourcing.Testing;

/// <summary>A violation before it is told.</summary>
/// <param name="Rule">What was violated.</param>
/// <param name="Moment">The timestamp at which it could first be known.</param>
/// <param name="Message">One sentence.</param>
/// <param name="Calls">The calls that show it.</param>
/// <param name="Versions">The versions that it is about.</param>
internal sealed record Finding(HistoryRule Rule, long Moment, string Message, IReadOnlyList<RecordedCall> Calls,
    params IReadOnlyList<long> Versions);
