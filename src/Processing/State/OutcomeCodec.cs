using System.Buffers;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Processing;

/// <summary>What came of a command, and what the command was.</summary>
internal readonly record struct RememberedOutcome(string CommandId, CommandOutcome Outcome, CommandDigest Digest);

/// <summary>
/// Outcomes as the state store and snapshots remember them, in Avro's primitives: outcome, command id, version, event offset; of a refusal
/// also expected version, code, message and details; then the command's digest, if it is known. Aggregate and partition are those of the
/// place where it is kept.
/// </summary>
/// <remarks>
/// What was remembered before there were digests ends before it, and code of that time does not read so far: either reads what the other
/// has written.
/// </remarks>
internal static class OutcomeCodec
{
    public static void Write(ref AvroWriter writer, RememberedOutcome remembered)
    {
        CommandOutcome outcome = remembered.Outcome;
        writer.WriteInt((int)outcome.Kind);
        writer.WriteString(remembered.CommandId);
        writer.WriteLong(outcome.Version);
        writer.WriteLong(outcome.EventOffset);
        if (outcome.Kind != OutcomeKind.Accepted)
            WriteWords(ref writer, outcome.Explanation);
        if (remembered.Digest.IsKnown)
            remembered.Digest.WriteTo(ref writer);
    }

    /// <summary>What <see cref="Write"/> writes, on its own.</summary>
    public static byte[] Encode(RememberedOutcome remembered)
    {
        var encoded = new ArrayBufferWriter<byte>(256);
        var writer = new AvroWriter(encoded);
        Write(ref writer, remembered);
        writer.Flush();
        return encoded.WrittenSpan.ToArray();
    }

    /// <summary>The UTF-8 bytes of the command id alone.</summary>
    public static ReadOnlySpan<byte> CommandIdOf(ReadOnlySpan<byte> data)
    {
        var reader = new AvroReader(data);
        reader.ReadInt();
        return reader.ReadSpan();
    }

    public static RememberedOutcome Read(ReadOnlySpan<byte> data)
    {
        var reader = new AvroReader(data);
        var kind = (OutcomeKind)reader.ReadInt();
        string commandId = reader.ReadString();
        long version = reader.ReadLong();
        long offset = reader.ReadLong();
        Explanation? words = kind == OutcomeKind.Accepted ? null : ReadWords(ref reader);
        return new RememberedOutcome(commandId, new CommandOutcome(kind, version, offset, words),
            reader.Remaining > 0 ? CommandDigest.ReadFrom(ref reader) : default);
    }

    private static void WriteWords(ref AvroWriter writer, Explanation? words)
    {
        WriteOptional(ref writer, words?.Expected);
        WriteOptional(ref writer, words?.Code);
        WriteOptional(ref writer, words?.Message);
        writer.WriteInt(words?.Details.Count ?? 0);
        foreach ((string name, string value) in words?.Details ?? Explanation.NoDetails)
        {
            writer.WriteString(name);
            writer.WriteString(value);
        }
    }

    private static Explanation ReadWords(ref AvroReader reader)
    {
        string? expected = ReadOptional(ref reader);
        string? code = ReadOptional(ref reader);
        string? message = ReadOptional(ref reader);
        int left = reader.ReadInt();
        Dictionary<string, string>? details = left > 0 ? [] : null;
        for (; left > 0; left--)
            details!.Add(reader.ReadString(), reader.ReadString());
        return new Explanation(code, message, expected, details ?? Explanation.NoDetails);
    }

    private static void WriteOptional(ref AvroWriter writer, string? value)
    {
        writer.WriteBoolean(value is not null);
        if (value is not null)
            writer.WriteString(value);
    }

    private static string? ReadOptional(ref AvroReader reader) => reader.ReadBoolean() ? reader.ReadString() : null;
}
