using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Archive;

/// <summary>What a file of an archive holds.</summary>
/// <param name="Rows">How many records.</param>
/// <param name="FirstOffset">The offset of the first; null: there is none.</param>
/// <param name="LastOffset">The offset of the last; null: there is none.</param>
/// <param name="FirstTime">The earliest time of its events; null: it has none.</param>
/// <param name="LastTime">The latest time of its events; null: it has none.</param>
internal sealed record RawFileSummary(long Rows, long? FirstOffset, long? LastOffset, DateTimeOffset? FirstTime, DateTimeOffset? LastTime)
{
    internal static DateTimeOffset? TimeOf(long? micros) => micros is { } told ? AvroTime.FromMicros(told) : null;
}
