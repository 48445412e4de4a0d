using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Gives up events and snapshots that lie on another partition than that of their key. No node serves such a partition, so the letters are
/// written here: that of an event, and the entry that discards it. Doing it twice, or half, does no harm: what is discarded is not found
/// again. The calls block.
/// </summary>
public sealed class MisplacedRecords(KafkaConnection connection, TopicFamily topics)
{
    private const string Cause = "misplaced-event";
    private const byte Reserved = 0; // keys of the engine's own begin with it
    private const int PartHeader = 1 + 4 + sizeof(int); // a zero byte, 'part', a number: how the parts of a large snapshot are keyed
    private const int MaxMessageBytes = 2 * 1024 * 1024;

    /// <summary>Discards all of them and returns how many events and snapshots there were.</summary>
    /// <param name="by">Who asks.</param>
    /// <param name="reason">Why; it is recorded with each event.</param>
    /// <param name="told">Called with each record once it is discarded.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="cancellationToken">Ends it after the record that is under way.</param>
    /// <exception cref="KafkaException">The cluster does not answer, or does not take a record.</exception>
    public (int Events, int Snapshots) Discard(string by, string reason, Action<ConsumeResult<byte[], byte[]>> told,
        TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(told);
        ArgumentNullException.ThrowIfNull(timeProvider);
        (IReadOnlyList<ConsumeResult<byte[], byte[]>> events, IReadOnlyList<ConsumeResult<byte[], byte[]>> snapshots) = new EventScan(
            connection, topics).FindMisplaced(AggregateKeyOf, cancellationToken);
        ProducerConfig config = connection.Producer();
        config.MessageMaxBytes = MaxMessageBytes;
        using IProducer<byte[], byte[]?> producer = new ProducerBuilder<byte[], byte[]?>(config).SetLogHandler((_, _) => { })
            .SetErrorHandler((_, _) => { }).Build();
        foreach (ConsumeResult<byte[], byte[]> record in events)
        {
            var letters = new TopicPartition(topics.DeadLetters, record.Partition);
            Message<byte[], byte[]> letter = DeadLetterFormat.Parked(record, Cause,
                "The event lies on another partition than that of its key.", queued: false, timeProvider.GetUtcNow());
            long offset = Send(producer, letters, letter.Key, letter.Value, letter.Headers, cancellationToken);
            Message<byte[], byte[]> discarded = DeadLetterFormat.Discarded(record.Message.Key, offset, by, reason, timeProvider.GetUtcNow(),
                foldedTo: -1);
            Send(producer, letters, discarded.Key, null, discarded.Headers, CancellationToken.None);
            told(record);
        }

        foreach (ConsumeResult<byte[], byte[]> record in snapshots)
        {
            Send(producer, record.TopicPartition, record.Message.Key, null, [], cancellationToken);
            told(record);
        }

        return (events.Count, snapshots.Count);
    }

    private static byte[]? AggregateKeyOf(byte[] key) =>
        key is not [Reserved, ..] ? key : key.Length > PartHeader && key.AsSpan(1).StartsWith("part"u8) ? key[PartHeader..] : null;

    private static long Send(IProducer<byte[], byte[]?> producer, TopicPartition target, byte[] key, byte[]? value, Headers headers,
        CancellationToken cancellationToken) =>
        producer.ProduceAsync(target, new Message<byte[], byte[]?> { Key = key, Value = value, Headers = headers }, cancellationToken)
            .GetAwaiter().GetResult().Offset.Value;
}
