using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Processing;

/// <summary>What came of a command, and what the command was.</summary>
internal readonly record struct RememberedOutcome(CommandReply Reply, CommandDigest Digest);

/// <summary>
/// Outcomes as the state store and snapshots remember them, in Avro's primitives: outcome, command id, version, event offset; of a refusal also expected version, code, message and
/// details; then the command's digest, if it is known. Aggregate and partition are those of the place where it is kept.
/// </summary>
/// <remarks>What was remembered before there were digests ends before it, and code of that time does not read so far: either reads what the other has written.</remarks>
internal static class OutcomeCodec
{
    public static void Write(ref AvroWriter writer, RememberedOutcome outcome)
    {
        WriteReply(ref writer, outcome.Reply);
        if (outcome.Digest.IsKnown)
            outcome.Digest.WriteTo(ref writer);
    }

    private static void WriteReply(ref AvroWriter writer, CommandReply reply)
    {
        writer.WriteInt((int)reply.Outcome);
        writer.WriteString(reply.CommandId);
        writer.WriteLong(reply.Version);
        writer.WriteLong(reply.EventOffset);
        if (reply.Outcome == ReplyOutcome.Accepted)
            return;
        WriteOptional(ref writer, reply.ExpectedVersion);
        WriteOptional(ref writer, reply.Code);
        WriteOptional(ref writer, reply.Message);
        writer.WriteInt(reply.Details.Count);
        foreach ((string name, string value) in reply.Details)
        {
            writer.WriteString(name);
            writer.WriteString(value);
        }
    }

    /// <summary>The UTF-8 bytes of the command id alone.</summary>
    public static ReadOnlySpan<byte> CommandIdOf(ReadOnlySpan<byte> data)
    {
        var reader = new AvroReader(data);
        reader.ReadInt();
        return reader.ReadSpan();
    }

    public static RememberedOutcome Read(ReadOnlySpan<byte> data, AggregateId aggregateId, int partition)
    {
        var reader = new AvroReader(data);
        var outcome = (ReplyOutcome)reader.ReadInt();
        string commandId = reader.ReadString();
        long version = reader.ReadLong();
        long offset = reader.ReadLong();
        string? expected = null, code = null, message = null;
        var details = new Dictionary<string, string>();
        if (outcome != ReplyOutcome.Accepted)
        {
            expected = ReadOptional(ref reader);
            code = ReadOptional(ref reader);
            message = ReadOptional(ref reader);
            for (int left = reader.ReadInt(); left > 0; left--)
                details.Add(reader.ReadString(), reader.ReadString());
        }

        var reply = new CommandReply
        {
            CommandId = commandId,
            AggregateId = aggregateId.Value,
            Outcome = outcome,
            Version = version,
            EventPartition = offset < 0 ? -1 : partition,
            EventOffset = offset,
            ExpectedVersion = expected,
            Code = code,
            Message = message,
            Details = details,
        };
        return new RememberedOutcome(reply, reader.Remaining > 0 ? CommandDigest.ReadFrom(ref reader) : default);
    }

    private static void WriteOptional(ref AvroWriter writer, string? value)
    {
        writer.WriteBoolean(value is not null);
        if (value is not null)
            writer.WriteString(value);
    }

    private static string? ReadOptional(ref AvroReader reader) => reader.ReadBoolean() ? reader.ReadString() : null;
}
