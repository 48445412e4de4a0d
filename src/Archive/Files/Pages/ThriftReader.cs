namespace KafkaEventSourcing.Archive;

/// <summary>
/// Reads Thrift's compact protocol, in which Parquet has what describes a file. A <c>ref struct</c>, so it lives on the stack.
/// </summary>
/// <remarks>Source: Apache Thrift, "Thrift Compact protocol encoding".</remarks>
internal ref struct ThriftReader(ReadOnlySpan<byte> data)
{
    private const int MaxDepth = 32;

    private const int True = 1, False = 2, Byte = 3, I16 = 4, I32 = 5, I64 = 6, Double = 7, Binary = 8, List = 9, Set = 10,
        Struct = 12;

    private readonly ReadOnlySpan<byte> _data = data;

    /// <summary>How many bytes were read.</summary>
    public int Position { get; private set; }

    /// <summary>
    /// Reads what begins a field of a struct; false at its end. <paramref name="id"/> is that of the field before, at first 0.
    /// </summary>
    public bool NextField(ref int id, out int type)
    {
        byte head = _data[Position++];
        type = head & 0x0f;
        if (head == 0)
            return false;
        id = head >> 4 is > 0 and int step ? id + step : (int)ReadInteger();
        return true;
    }

    /// <summary>Reads an integer of any width.</summary>
    public long ReadInteger()
    {
        ulong bits = ReadVarint();
        return (long)(bits >> 1) ^ -(long)(bits & 1);
    }

    /// <summary>Reads bytes, or a text.</summary>
    public ReadOnlySpan<byte> ReadBinary()
    {
        int length = checked((int)ReadVarint());
        ReadOnlySpan<byte> value = _data.Slice(Position, length);
        Position += length;
        return value;
    }

    /// <summary>Reads how many items a list has.</summary>
    public int ReadList(out int type)
    {
        byte head = _data[Position++];
        type = head & 0x0f;
        int count = head >> 4;
        if (count == 15)
            count = checked((int)ReadVarint());
        return count <= _data.Length - Position
            ? count
            : throw new InvalidDataException($"A list of {count} items is longer than its file.");
    }

    /// <summary>Reads an item of a list of booleans.</summary>
    public bool ReadBoolean() => _data[Position++] == True;

    /// <summary>Reads a value past.</summary>
    public void Skip(int type, int depth = 0)
    {
        if (depth > MaxDepth)
            throw new InvalidDataException("What describes the file is nested too deep.");
        switch (type)
        {
            case True or False:
                break; // a field that is a boolean has its value in its type
            case Byte:
                Position++;
                break;
            case I16 or I32 or I64:
                ReadVarint();
                break;
            case Double:
                Position += sizeof(double);
                break;
            case Binary:
                ReadBinary();
                break;
            case List or Set:
                for (int count = ReadList(out int item); count > 0; count--)
                {
                    if (item is True or False)
                        Position++;
                    else
                        Skip(item, depth + 1);
                }

                break;
            case Struct:
                int id = 0;
                while (NextField(ref id, out int field))
                    Skip(field, depth + 1);
                break;
            default:
                throw new InvalidDataException($"What describes the file has a type {type}, which is not read.");
        }
    }

    private ulong ReadVarint()
    {
        ulong bits = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            byte next = _data[Position++];
            bits |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
                return bits;
        }

        throw new InvalidDataException("A number of what describes the file has more than ten bytes.");
    }
}
