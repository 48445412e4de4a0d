using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.Unicode;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// What a command was, in a few bytes, so that another one under its id is told from the same one sent again: its type, its body, and the
/// version that it expected; not its time, correlation or place. <c>default</c> is not known and differs from nothing.
/// </summary>
/// <remarks>
/// XxHash3 of Avro's binary encoding by the type's own schema, maps in the order of their keys: equal at both doors and for writers with
/// other versions of the schema. It is not a defence: whoever makes two bodies collide fools only himself, as ids are chosen by the sender.
/// Bodies are compared only when both were encoded by the same schema: a new field changes the bytes of what means the same.
/// </remarks>
/// <param name="Type">A hash of the type's full name; 0: not known.</param>
/// <param name="Schema">A hash of the schema's fingerprint.</param>
/// <param name="Body">A hash of the encoded body.</param>
/// <param name="Expected">What the sender believed of the version.</param>
internal readonly record struct CommandDigest(uint Type, uint Schema, ulong Body, ExpectedVersion Expected)
{
    /// <summary>Of an event: the digest of its command, so that a restore from events has it too.</summary>
    public const string Header = "kes_commanddigest";

    private const int HashDigits = 32;

    /// <summary>The longest it is as a header's value, in bytes: a version has at most 19 digits.</summary>
    public const int MaxTextBytes = HashDigits + 1 + 20;

    private static readonly ConcurrentDictionary<AvroRecordType, Traits> Types = [];

    [ThreadStatic]
    private static PooledBuffer? s_buffer;

    /// <summary>Whether it says anything.</summary>
    public bool IsKnown => Type != 0;

    /// <summary>The digest of a command that was decoded.</summary>
    /// <param name="type">The type of the command.</param>
    /// <param name="payload">The command.</param>
    /// <param name="expected">What the sender believes of the version.</param>
    /// <param name="protection">What seals what is personal: it is hashed as it is sealed, or a value could be guessed by the hash.</param>
    /// <param name="subject">The aggregate.</param>
    public static CommandDigest From(AvroRecordType type, IAvroRecord payload, ExpectedVersion expected,
        IFieldProtection? protection = null, string? subject = null)
    {
        PooledBuffer buffer = s_buffer ??= new PooledBuffer();
        buffer.Clear();
        var writer = new AvroWriter(buffer, protection, subject, marksErased: false);
        try
        {
            payload.WriteTo(ref writer);
        }
        catch (SubjectErasedException)
        {
            return default; // what it was once cannot be told any more
        }

        writer.Flush();
        CommandDigest digest = From(type, buffer.WrittenSpan, expected);
        buffer.Clear();
        return digest;
    }

    /// <summary>The digest of a command whose body <paramref name="type"/> has encoded.</summary>
    public static CommandDigest From(AvroRecordType type, ReadOnlySpan<byte> body, ExpectedVersion expected)
    {
        Traits traits = Types.GetOrAdd(type, static t => new Traits(HashOf(t.FullName), HashOf(t.Fingerprint), SortedMaps.AreIn(t.Schema)));
        ulong hash = XxHash3.HashToUInt64(traits.HasMaps ? SortedMaps.Write(type.Schema, body) : body);
        return new CommandDigest(traits.Name, traits.Schema, hash, expected);
    }

    /// <summary>What differs from the command that the id had first, in words; null: nothing, as far as is known.</summary>
    public string? DifferenceFrom(CommandDigest first)
    {
        if (!IsKnown || !first.IsKnown || this == first)
            return null;
        string? what = Type != first.Type ? "type" : Schema == first.Schema && Body != first.Body ? "body" : null;
        return Expected == first.Expected ? what : what is null ? "expected version" : $"{what}, expected version";
    }

    /// <summary>
    /// Writes it as a header's value, the hashes in hexadecimal digits, a slash, the expected version, to at least
    /// <see cref="MaxTextBytes"/> bytes, and returns its length.
    /// </summary>
    public int Write(Span<byte> text)
    {
        Utf8.TryWrite(text, CultureInfo.InvariantCulture, $"{Type:x8}{Schema:x8}{Body:x16}/{Expected.ToString()}", out int length);
        return length;
    }

    /// <summary>
    /// The digest in the headers of an event; <c>default</c> where there is none, as in those that were written before there were any.
    /// </summary>
    public static CommandDigest Find(Headers headers) =>
        CloudEventHeaders.Find(headers, Header) is { } value && TryParse(value, out CommandDigest digest) ? digest : default;

    /// <summary>The digest that <see cref="Write"/> wrote; <c>default</c> where <paramref name="text"/> is something else.</summary>
    public static CommandDigest Parse(ReadOnlySpan<byte> text) => TryParse(text, out CommandDigest digest) ? digest : default;

    /// <summary>Writes it in Avro's primitives.</summary>
    public void WriteTo(ref AvroWriter writer)
    {
        writer.WriteLong(Type);
        writer.WriteLong(Schema);
        writer.WriteLong((long)Body);
        writer.WriteString(Expected.ToString());
    }

    /// <summary>Reads what <see cref="WriteTo"/> has written.</summary>
    public static CommandDigest ReadFrom(ref AvroReader reader) =>
        new((uint)reader.ReadLong(), (uint)reader.ReadLong(), (ulong)reader.ReadLong(), ExpectedVersion.Parse(reader.ReadString()));

    private static bool TryParse(ReadOnlySpan<byte> value, out CommandDigest digest)
    {
        digest = default;
        if (value.Length <= HashDigits || value[HashDigits] != '/'
            || !uint.TryParse(value[..8], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint type)
            || !uint.TryParse(value[8..16], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint schema)
            || !ulong.TryParse(value[16..HashDigits], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong body)
            || !ExpectedVersion.TryParse(Encoding.UTF8.GetString(value[(HashDigits + 1)..]), out ExpectedVersion expected))
            return false;
        digest = new CommandDigest(type, schema, body, expected);
        return true;
    }

    private static uint HashOf(string text) => Math.Max(1, XxHash32.HashToUInt32(Encoding.UTF8.GetBytes(text)));

    private sealed record Traits(uint Name, uint Schema, bool HasMaps);
}
