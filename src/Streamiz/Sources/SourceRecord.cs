using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// One record of an events topic: as it is in the log, and the event or events that the code of today reads it as. It is decoded once,
/// however many branches read it.
/// </summary>
public sealed class SourceRecord
{
    internal SourceRecord(AggregateDefinition source, in StoredEvent stored, ConsumeResult<byte[], byte[]> record)
    {
        (Source, Stored) = (source, stored);
        (Key, Value, Headers) = (record.Message.Key, record.Message.Value, record.Message.Headers);
        (Partition, Offset) = (record.Partition.Value, record.Offset.Value);
    }

    /// <summary>The aggregate type that it is of.</summary>
    public AggregateDefinition Source { get; }

    /// <summary>What it is read as: one event nearly always; none where its type is withdrawn or an operator has discarded it, several
    /// where it is upcast to them.</summary>
    public StoredEvent Stored { get; }

    /// <summary>Whether an operator has discarded it: it does nothing, and keeps its version where it is the one that is due.</summary>
    public bool IsDiscarded { get; internal init; }

    /// <summary>Whether the next one comes later: nothing must be kept back behind it.</summary>
    internal bool IsLast { get; init; } = true;

    /// <summary>What its key and headers say.</summary>
    public EventHead Head => Stored.Head;

    /// <summary>The key's bytes.</summary>
    public byte[] Key { get; }

    /// <summary>The value's bytes, in Confluent's wire format.</summary>
    public byte[] Value { get; }

    /// <summary>The headers.</summary>
    public Headers Headers { get; }

    /// <summary>The partition of the events topic.</summary>
    public int Partition { get; }

    /// <summary>The offset in the partition.</summary>
    public long Offset { get; }
}
