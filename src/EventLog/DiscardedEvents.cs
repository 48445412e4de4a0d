using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// The records of an events topic that are none of its events and that an operator has discarded: readers pass over them. Asked only where such a record is met; each time the letters of its partition are read. The
/// calls block. Thread-safe.
/// </summary>
internal sealed class DiscardedEvents(KafkaConnection connection, TopicFamily topics)
{
    private readonly DeadLetterReader _letters = new(connection, topics.DeadLetters);

    /// <summary>Whether <paramref name="record"/> is one of them.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public bool Contains(ConsumeResult<byte[], byte[]> record, CancellationToken cancellationToken) =>
        _letters.Read(record.Partition.Value, 0, withResolved: true, static _ => { }, cancellationToken)
            .Any(l => l.OriginTopic == topics.Events && l.OriginOffset == record.Offset.Value && l.Resolution is { IsDiscarded: true });
}
