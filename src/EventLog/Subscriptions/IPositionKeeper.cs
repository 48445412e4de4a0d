using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>Keeps the positions of a subscription: where a partition begins, and how far it is handled.</summary>
internal interface IPositionKeeper
{
    /// <summary>
    /// Where to begin <paramref name="partition"/>, which this node has just got. On the subscription's own thread, which may block.
    /// </summary>
    /// <param name="partition">The partition.</param>
    /// <param name="member">The member of the group that has got it; its committed offsets can be asked for.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <exception cref="PartitionHaltedException">It must not be read; the message says why and what to do. It stands still, the others go
    /// on.</exception>
    long Begin(int partition, IConsumer<byte[], byte[]> member, CancellationToken cancellationToken);

    /// <summary>
    /// All events of <paramref name="partition"/> before <paramref name="next"/> are handled, or are kept to be handled later.
    /// </summary>
    void Handled(int partition, long next);

    /// <summary>
    /// The partition goes: its handler has returned, or has not within <paramref name="patience"/>. Writes how far it is handled, and gives
    /// up what is under way; blocks, for about <paramref name="patience"/> at most.
    /// </summary>
    void End(int partition, TimeSpan patience);
}
