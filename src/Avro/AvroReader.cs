using System.Buffers.Binary;
using System.Text;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// Reads Avro's binary encoding (Avro specification 1.12, "Binary Encoding"). Lengths are checked against what is left before anything is
/// allocated, so that garbage costs nothing. Not thread-safe; a <c>ref struct</c>, so it lives on the stack.
/// </summary>
public ref partial struct AvroReader
{
    private readonly ReadOnlySpan<byte> _data;
    private readonly IFieldProtection? _protection; // null: what is sealed is read as it is
    private int _at;
    private int _depth;
    private int _empty;

    /// <summary>Reads <paramref name="data"/> from its start.</summary>
    public AvroReader(ReadOnlySpan<byte> data)
    {
        _data = data;
    }

    /// <summary>How many bytes were read.</summary>
    public readonly int Position => _at;

    /// <summary>How many bytes are left.</summary>
    public readonly int Remaining => _data.Length - _at;

    /// <summary>Reads a boolean.</summary>
    public bool ReadBoolean()
    {
        Need(1);
        return _data[_at++] switch
        {
            0 => false,
            1 => true,
            byte other => throw new AvroDecodeException(_at - 1, $"{other} is not a boolean."),
        };
    }

    /// <summary>Reads an int.</summary>
    public int ReadInt()
    {
        long value = ReadLong();
        return value is >= int.MinValue and <= int.MaxValue
            ? (int)value
            : throw new AvroDecodeException(_at, $"{value} does not fit an int.");
    }

    /// <summary>Reads a long.</summary>
    public long ReadLong()
    {
        ulong bits = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            Need(1);
            byte next = _data[_at++];
            bits |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
                return (long)(bits >> 1) ^ -(long)(bits & 1);
        }

        throw new AvroDecodeException(_at, "A number has more than ten bytes.");
    }

    /// <summary>Reads a float.</summary>
    public float ReadFloat() => BinaryPrimitives.ReadSingleLittleEndian(ReadFixed(sizeof(float)));

    /// <summary>Reads a double.</summary>
    public double ReadDouble() => BinaryPrimitives.ReadDoubleLittleEndian(ReadFixed(sizeof(double)));

    /// <summary>Reads a string.</summary>
    /// <exception cref="AvroDecodeException">It is not UTF-8: other bytes must not become U+FFFD, or different texts would be
    /// one.</exception>
    public string ReadString()
    {
        ReadOnlySpan<byte> text = ReadSpan();
        try
        {
            return AvroLimits.Utf8.GetString(text);
        }
        catch (DecoderFallbackException malformed)
        {
            throw new AvroDecodeException(_at - text.Length + Math.Max(malformed.Index, 0), "A text is not UTF-8.");
        }
    }

    /// <summary>Reads bytes.</summary>
    public byte[] ReadBytes() => ReadSpan().ToArray();

    /// <summary>Reads bytes without copying them.</summary>
    public ReadOnlySpan<byte> ReadSpan()
    {
        long length = ReadLong();
        if (length < 0 || length > Remaining)
            throw new AvroDecodeException(_at, $"A length of {length} bytes is given; {Remaining} are left.");
        return ReadFixed((int)length);
    }

    /// <summary>Reads bytes of a known length without copying them.</summary>
    public ReadOnlySpan<byte> ReadFixed(int length)
    {
        Need(length);
        ReadOnlySpan<byte> value = _data.Slice(_at, length);
        _at += length;
        return value;
    }

    /// <summary>Reads the index of an enum symbol or a union branch, below <paramref name="count"/>.</summary>
    public int ReadIndex(int count)
    {
        int index = ReadInt();
        return (uint)index < (uint)count ? index : throw new AvroDecodeException(_at, $"The index {index} is not below {count}.");
    }

    /// <summary>Reads how many items, of at least a byte each, the next block of an array or a map has; 0 ends it.</summary>
    public int ReadBlockCount()
    {
        long count = ReadCount();
        return count >= 0 && count <= Remaining
            ? (int)count
            : throw new AvroDecodeException(_at, $"A block of {count} items is given; {Remaining} bytes are left.");
    }

    /// <summary>
    /// Reads how many items the next block of an array has whose items may take no byte; 0 ends it. A value has at most
    /// <see cref="AvroLimits.MaxEmptyItems"/> of them in all.
    /// </summary>
    public int ReadEmptyCount()
    {
        long count = ReadCount();
        if (count < 0 || count > AvroLimits.MaxEmptyItems - _empty)
            throw new AvroDecodeException(_at,
                $"A block of {count} items that may be empty is given; a value has at most {AvroLimits.MaxEmptyItems}.");
        _empty += (int)count;
        return (int)count;
    }

    /// <summary>Begins a record, an array or a map; <see cref="Leave"/> ends it.</summary>
    /// <exception cref="AvroDecodeException">It is nested deeper than <see cref="AvroLimits.MaxDepth"/>.</exception>
    public void Enter()
    {
        if (++_depth > AvroLimits.MaxDepth)
            throw new AvroDecodeException(_at, $"The value is nested deeper than {AvroLimits.MaxDepth} records, arrays and maps.");
    }

    /// <summary>Ends a record, an array or a map.</summary>
    public void Leave() => _depth--;

    // The lowest number has no positive twin: it stays below zero.
    private long ReadCount()
    {
        long count = ReadLong();
        if (count >= 0)
            return count;
        _ = ReadLong(); // the block's size in bytes, for readers that skip
        return unchecked(-count);
    }

    private readonly void Need(int bytes)
    {
        if (Remaining < bytes)
            throw new AvroDecodeException(_at, $"{bytes} bytes are needed; {Remaining} are left.");
    }
}
