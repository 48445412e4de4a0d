using System.Buffers;
using System.Buffers.Binary;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// The keys of a state store: all are in one column family, told apart by their first byte. What is of an aggregate has its id behind that;
/// the number of what it has several of is behind a zero byte, most significant byte first, so that it is in order. An instance keeps the
/// memory of the key that it wrote last, and is not thread-safe.
/// </summary>
internal sealed class StoreKeys
{
    /// <summary>Of an aggregate: its state.</summary>
    public const byte State = (byte)'s';

    /// <summary>By aggregate and version: an event, as <see cref="IndexedEvent"/> has it.</summary>
    public const byte Index = (byte)'i';

    /// <summary>By aggregate and slot: the outcome of a command.</summary>
    public const byte Recent = (byte)'r';

    /// <summary>Of an aggregate: that it has changed since the newest barrier.</summary>
    public const byte Changed = (byte)'c';

    private const byte BeforeNumber = 0;

    private readonly ArrayBufferWriter<byte> _key = new(256);

    public static byte[] Checkpoint { get; } = "mcheckpoint"u8.ToArray();

    public static byte[] Schema { get; } = "mschema"u8.ToArray();

    public static byte[] Aggregates { get; } = "maggregates"u8.ToArray();

    public static byte[] Input { get; } = "minput"u8.ToArray();

    public static byte[] Topics { get; } = "mtopics"u8.ToArray();

    public static byte[] Loading { get; } = "mloading"u8.ToArray();

    public static byte[] Partitions { get; } = "mpartitions"u8.ToArray();

    public static byte[] Cover { get; } = "mcover"u8.ToArray();

    public static byte[] Gap { get; } = "mgap"u8.ToArray();

    /// <summary>The key of what an aggregate has once.</summary>
    public static byte[] Of(byte prefix, ReadOnlySpan<byte> id) => [prefix, .. id];

    /// <summary>What the keys begin with of what an aggregate has several of.</summary>
    public static byte[] BeginningOf(byte prefix, ReadOnlySpan<byte> id) => [prefix, .. id, BeforeNumber];

    /// <summary>The key of one of several.</summary>
    public static byte[] Of(byte prefix, ReadOnlySpan<byte> id, long number)
    {
        byte[] key = new byte[LengthOf(id)];
        Fill(key, prefix, id, number);
        return key;
    }

    /// <summary>The number in the key of one of several.</summary>
    public static long NumberOf(ReadOnlySpan<byte> key) => BinaryPrimitives.ReadInt64BigEndian(key[^sizeof(long)..]);

    /// <summary>The key of what an aggregate has once, until the next is written.</summary>
    public ReadOnlySpan<byte> Write(byte prefix, ReadOnlySpan<byte> id)
    {
        _key.ResetWrittenCount();
        Span<byte> key = _key.GetSpan(1 + id.Length);
        key[0] = prefix;
        id.CopyTo(key[1..]);
        return key[..(1 + id.Length)];
    }

    /// <summary>The key of one of several, until the next is written.</summary>
    public ReadOnlySpan<byte> Write(byte prefix, ReadOnlySpan<byte> id, long number)
    {
        _key.ResetWrittenCount();
        Span<byte> key = _key.GetSpan(LengthOf(id))[..LengthOf(id)];
        Fill(key, prefix, id, number);
        return key;
    }

    private static int LengthOf(ReadOnlySpan<byte> id) => 1 + id.Length + 1 + sizeof(long);

    private static void Fill(Span<byte> key, byte prefix, ReadOnlySpan<byte> id, long number)
    {
        key[0] = prefix;
        id.CopyTo(key[1..]);
        key[1 + id.Length] = BeforeNumber;
        BinaryPrimitives.WriteInt64BigEndian(key[(id.Length + 2)..], number);
    }
}
