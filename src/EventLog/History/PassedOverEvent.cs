using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>A record of an events topic that a reader has passed over.</summary>
/// <param name="Partition">The partition.</param>
/// <param name="Offset">The offset.</param>
/// <param name="AggregateId">Whose event it is; <c>default</c> when that cannot be read, or it is on the wrong partition.</param>
/// <param name="Version">Its version; 0 when that cannot be read, or it is on the wrong partition.</param>
/// <param name="IsDiscarded">Whether an operator has discarded it; else it cannot be read, unless <see cref="IsEmpty"/>.</param>
/// <param name="Message">What is wrong with it.</param>
public sealed record PassedOverEvent(int Partition, long Offset, AggregateId AggregateId, long Version, bool IsDiscarded, string Message)
{
    /// <summary>Whether nothing is wrong with it: its type is withdrawn, or it is upcast to no event.</summary>
    public bool IsEmpty { get; init; }

    internal static PassedOverEvent From(ConsumeResult<byte[], byte[]> record, in EventHead head) =>
        new(record.Partition.Value, record.Offset.Value, head.AggregateId, head.Version, IsDiscarded: false,
            "It is of a type that is ignored, or upcast to no event.") { IsEmpty = true };

    internal static PassedOverEvent From(EventCodec codec, ConsumeResult<byte[], byte[]> record, bool isDiscarded, string message) =>
        codec.TryReadHead(record, out EventHead head)
            ? new PassedOverEvent(record.Partition.Value, record.Offset.Value, head.AggregateId, head.Version, isDiscarded, message)
            : new PassedOverEvent(record.Partition.Value, record.Offset.Value, default, 0, isDiscarded, message);
}
