using System.Buffers.Binary;
using System.Text;

namespace KafkaEventSourcing.Embedded.Kafka.Protocol;

/// <summary>
/// Reads Kafka's primitive types (Apache Kafka, "Protocol Primitive Types"). Lengths are checked against what is left before anything is
/// allocated.
/// </summary>
internal ref struct KafkaReader(ReadOnlyMemory<byte> data)
{
    private readonly ReadOnlyMemory<byte> _data = data;
    private int _at = 0;
    private int _items = 0;

    /// <summary>Arrays grow from here: an announced count alone costs no memory.</summary>
    public const int MaxInitialCapacity = 1024;

    private const int MaxItems = 2_000_000;

    public readonly int Remaining => _data.Length - _at;

    public readonly int Position => _at;

    public sbyte ReadInt8() => (sbyte)Take(1)[0];

    public short ReadInt16() => BinaryPrimitives.ReadInt16BigEndian(Take(sizeof(short)));

    public int ReadInt32() => BinaryPrimitives.ReadInt32BigEndian(Take(sizeof(int)));

    public long ReadInt64() => BinaryPrimitives.ReadInt64BigEndian(Take(sizeof(long)));

    public double ReadFloat64() => BinaryPrimitives.ReadDoubleBigEndian(Take(sizeof(double)));

    public Guid ReadUuid() => new(Take(16), bigEndian: true);

    public int ReadUnsignedVarint()
    {
        uint value = 0;
        for (int shift = 0; shift < 35; shift += 7)
        {
            byte next = Take(1)[0];
            value |= (uint)(next & 0x7f) << shift;
            if (next < 0x80)
                return value <= int.MaxValue ? (int)value : throw new MalformedRequestException($"The number {value} is too large.");
        }

        throw new MalformedRequestException("A number has more than five bytes.");
    }

    public void Skip(int bytes) => Take(bytes);

    public string ReadString(bool flexible) => ReadNullableString(flexible)
        ?? throw new MalformedRequestException("A string is null where none may be.");

    public string? ReadNullableString(bool flexible)
    {
        int length = flexible ? ReadUnsignedVarint() - 1 : ReadInt16();
        return length < 0 ? null : Encoding.UTF8.GetString(Take(length));
    }

    public ReadOnlyMemory<byte> ReadBytes(bool flexible) =>
        ReadNullableBytes(flexible) ?? throw new MalformedRequestException("Bytes are null where none may be.");

    public ReadOnlyMemory<byte>? ReadNullableBytes(bool flexible)
    {
        int length = flexible ? ReadUnsignedVarint() - 1 : ReadInt32();
        if (length < 0)
            return null;
        Check(length);
        ReadOnlyMemory<byte> value = _data.Slice(_at, length);
        _at += length;
        return value;
    }

    public int ReadArrayLength(bool flexible)
    {
        int length = flexible ? ReadUnsignedVarint() - 1 : ReadInt32();
        if (length > 0)
        {
            Check(length); // every item takes a byte at least
            _items += length;
            if (_items > MaxItems)
                throw new MalformedRequestException($"The message has more than {MaxItems} items.");
        }

        return length;
    }

    private ReadOnlySpan<byte> Take(int bytes)
    {
        Check(bytes);
        ReadOnlySpan<byte> value = _data.Span.Slice(_at, bytes);
        _at += bytes;
        return value;
    }

    private readonly void Check(int bytes)
    {
        if (bytes < 0 || bytes > Remaining)
            throw new MalformedRequestException($"{bytes} bytes are needed at byte {_at}; {Remaining} are left.");
    }
}
