namespace KafkaEventSourcing.Archive;

/// <summary>
/// The column whose value is, bit by bit, that of a header, which is then not in the file a second time: half of what an event of the bank
/// takes would be such copies.
/// </summary>
internal enum SameAs
{
    /// <summary>The header has its own value, or null.</summary>
    None = 0,

    /// <summary>The text of <c>command_id</c>.</summary>
    CommandId = 1,

    /// <summary>The text of <c>correlation_id</c>.</summary>
    CorrelationId = 2,

    /// <summary>The bytes of <c>key</c>.</summary>
    Key = 3,

    /// <summary>The text of <c>event_type</c>.</summary>
    EventType = 4,

    /// <summary><c>time</c>, as nodes write it.</summary>
    Time = 5,

    /// <summary><c>version</c>, as nodes write it.</summary>
    Version = 6,
}
