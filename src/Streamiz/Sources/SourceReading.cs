using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Streamiz;

/// <summary>How the events of one aggregate type are read by all tasks of a process.</summary>
/// <param name="Aggregate">The aggregate type.</param>
/// <param name="Topic">Its events topic.</param>
/// <param name="Codec">Decodes and upcasts.</param>
/// <param name="Discarded">What operators have discarded of a partition, by offset; blocks.</param>
/// <param name="Progress">How far the partitions are processed.</param>
internal sealed record SourceReading(AggregateDefinition Aggregate, string Topic, EventCodec Codec,
    Func<int, IReadOnlyDictionary<long, DeadLetterResolution>> Discarded, SourceProgress Progress);
