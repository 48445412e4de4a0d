using System.Buffers;
using System.Buffers.Binary;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>What a store has of an event by aggregate and version: its place in the log and, unless it is large, the event.</summary>
/// <param name="Version">The aggregate's version after it.</param>
/// <param name="Offset">Its offset in the partition.</param>
/// <param name="Event">What <see cref="Write(IBufferWriter{byte}, long, DateTimeOffset, string, string?, ReadOnlySpan{byte})"/> wrote;
/// empty: only the place is known.</param>
internal readonly record struct IndexedEvent(long Version, long Offset, ReadOnlyMemory<byte> Event)
{
    private const int PlaceBytes = sizeof(long);

    // What a correlation id is: of most events it is the id of the command.
    private const byte NoCorrelation = 0;
    private const byte CorrelatedWithCommand = 1;
    private const byte OtherCorrelation = 2;

    /// <summary>Writes the place of an event alone.</summary>
    public static void Write(IBufferWriter<byte> output, long offset)
    {
        BinaryPrimitives.WriteInt64BigEndian(output.GetSpan(PlaceBytes), offset);
        output.Advance(PlaceBytes);
    }

    /// <summary>
    /// Writes an event with its place: its time in microseconds, as headers have it, the command, the correlation, and the value as it is
    /// in the log. The trace context is left out.
    /// </summary>
    public static void Write(IBufferWriter<byte> output, long offset, DateTimeOffset time, string commandId, string? correlationId,
        ReadOnlySpan<byte> value)
    {
        Write(output, offset);
        var writer = new AvroWriter(output);
        writer.WriteLong(time.UtcTicks / TimeSpan.TicksPerMicrosecond); // not of an epoch: it is rounded down as in headers
        writer.WriteString(commandId);
        writer.WriteInt(correlationId is null ? NoCorrelation : correlationId == commandId ? CorrelatedWithCommand : OtherCorrelation);
        if (correlationId is not null && correlationId != commandId)
            writer.WriteString(correlationId);
        writer.Flush();
        output.Write(value);
    }

    /// <summary>Reads what was written.</summary>
    public static IndexedEvent Read(long version, byte[] value) =>
        new(version, BinaryPrimitives.ReadInt64BigEndian(value), value.AsMemory(PlaceBytes));

    /// <summary>What the event's headers say, and its value.</summary>
    /// <exception cref="AvroDecodeException">It is damaged.</exception>
    public (EventHead Head, byte[] Value) Unpack(AggregateId id)
    {
        var reader = new AvroReader(Event.Span);
        var time = new DateTimeOffset(reader.ReadLong() * TimeSpan.TicksPerMicrosecond, TimeSpan.Zero);
        string command = reader.ReadString();
        string? correlation = reader.ReadInt() switch
        {
            NoCorrelation => null,
            CorrelatedWithCommand => command,
            _ => reader.ReadString(),
        };
        return (new EventHead(id, Version, time, CommandId.Parse(command), correlation), Event[reader.Position..].ToArray());
    }
}
