using System.Buffers.Binary;
using System.Buffers.Text;

namespace KafkaEventSourcing.Avro;

/// <content>Logical types that have an encoding of their own (Avro specification 1.12, "Logical Types").</content>
public ref partial struct AvroReader
{
    private const int UuidLength = 36;
    private const int UuidBytes = 16;

    /// <summary>Reads a UUID that is a string.</summary>
    /// <exception cref="AvroDecodeException">The string is not 32 hexadecimal digits in five groups.</exception>
    public Guid ReadUuid()
    {
        ReadOnlySpan<byte> text = ReadSpan();
        return text.Length == UuidLength && Utf8Parser.TryParse(text, out Guid value, out int read, 'D') && read == UuidLength
            ? value
            : throw new AvroDecodeException(_at - text.Length, "A text is not a UUID.");
    }

    /// <summary>Reads a UUID that is a fixed of 16 bytes, in the order of RFC 9562.</summary>
    public Guid ReadFixedUuid() => new(ReadFixed(UuidBytes), bigEndian: true);

    /// <summary>Reads a fixed of <paramref name="size"/> bytes.</summary>
    public byte[] ReadFixedBytes(int size) => ReadFixed(size).ToArray();

    /// <summary>Reads a decimal that is bytes; of at most 28 digits.</summary>
    /// <exception cref="AvroDecodeException">It has more than <paramref name="precision"/> digits.</exception>
    public decimal ReadDecimal(int precision, int scale)
    {
        ReadOnlySpan<byte> bytes = ReadSpan();
        return DecimalEncoding.Read(bytes, precision, scale, _at - bytes.Length);
    }

    /// <summary>Reads a decimal that is a fixed of <paramref name="size"/> bytes; of at most 28 digits.</summary>
    /// <exception cref="AvroDecodeException">It has more than <paramref name="precision"/> digits.</exception>
    public decimal ReadFixedDecimal(int size, int precision, int scale) =>
        DecimalEncoding.Read(ReadFixed(size), precision, scale, _at - size);

    /// <summary>Reads a decimal that is bytes, of any length.</summary>
    /// <exception cref="AvroDecodeException">It has more than <paramref name="precision"/> digits.</exception>
    public AvroDecimal ReadLongDecimal(int precision, int scale)
    {
        ReadOnlySpan<byte> bytes = ReadSpan();
        return DecimalEncoding.ReadLong(bytes, precision, scale, _at - bytes.Length);
    }

    /// <summary>Reads a decimal that is a fixed of <paramref name="size"/> bytes, of any length.</summary>
    /// <exception cref="AvroDecodeException">It has more than <paramref name="precision"/> digits.</exception>
    public AvroDecimal ReadFixedLongDecimal(int size, int precision, int scale) =>
        DecimalEncoding.ReadLong(ReadFixed(size), precision, scale, _at - size);

    /// <summary>Reads a duration: three numbers of 32 bits, little-endian.</summary>
    public AvroDuration ReadDuration() => new(BinaryPrimitives.ReadUInt32LittleEndian(ReadFixed(sizeof(uint))),
        BinaryPrimitives.ReadUInt32LittleEndian(ReadFixed(sizeof(uint))), BinaryPrimitives.ReadUInt32LittleEndian(ReadFixed(sizeof(uint))));
}
