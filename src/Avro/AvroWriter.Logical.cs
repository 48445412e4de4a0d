using System.Buffers.Binary;
using System.Buffers.Text;

namespace KafkaEventSourcing.Avro;

/// <content>Logical types that have an encoding of their own (Avro specification 1.12, "Logical Types").</content>
public ref partial struct AvroWriter
{
    private const int UuidLength = 36;
    private const int UuidBytes = 16;
    private const int DecimalBytes = 16;

    /// <summary>Writes a UUID as a string, in lower case.</summary>
    public void WriteUuid(Guid value)
    {
        WriteLong(UuidLength);
        Ensure(UuidLength);
        Utf8Formatter.TryFormat(value, _span[_used..], out int written, 'D');
        _used += written;
    }

    /// <summary>Writes a UUID as a fixed of 16 bytes, in the order of RFC 9562.</summary>
    public void WriteFixedUuid(Guid value)
    {
        Ensure(UuidBytes);
        value.TryWriteBytes(_span[_used..], bigEndian: true, out int written);
        _used += written;
    }

    /// <summary>Writes a fixed of <paramref name="size"/> bytes in <paramref name="field"/>.</summary>
    /// <exception cref="AvroEncodeException">It is null or of another length.</exception>
    public void WriteFixedBytes(byte[]? value, int size, string field)
    {
        if (value is null)
            throw Null(field);
        if (value.Length != size)
            throw new AvroEncodeException(field, $"The value has {value.Length} bytes; the schema has {size}.");
        WriteFixed(value);
    }

    /// <summary>Writes a decimal in <paramref name="field"/> as bytes.</summary>
    /// <exception cref="AvroEncodeException">It does not fit precision and scale; it is not rounded.</exception>
    public void WriteDecimal(decimal value, int precision, int scale, string field)
    {
        ReadOnlySpan<byte> number = DecimalEncoding.Write(value, precision, scale, field, stackalloc byte[DecimalBytes]);
        WriteLong(number.Length);
        WriteSigned(number, number.Length);
    }

    /// <inheritdoc cref="WriteDecimal(decimal, int, int, string)"/>
    public void WriteDecimal(AvroDecimal value, int precision, int scale, string field) =>
        WriteBytes(DecimalEncoding.Write(value, precision, scale, field));

    /// <summary>Writes a decimal in <paramref name="field"/> as a fixed of <paramref name="size"/> bytes.</summary>
    /// <exception cref="AvroEncodeException">It does not fit precision and scale; it is not rounded.</exception>
    public void WriteFixedDecimal(decimal value, int size, int precision, int scale, string field) =>
        WriteSigned(DecimalEncoding.Write(value, precision, scale, field, stackalloc byte[DecimalBytes]), size);

    /// <inheritdoc cref="WriteFixedDecimal(decimal, int, int, int, string)"/>
    public void WriteFixedDecimal(AvroDecimal value, int size, int precision, int scale, string field) =>
        WriteSigned(DecimalEncoding.Write(value, precision, scale, field), size);

    /// <summary>Writes a duration: three numbers of 32 bits, little-endian.</summary>
    public void WriteDuration(AvroDuration value)
    {
        Ensure(3 * sizeof(uint));
        foreach (uint part in (ReadOnlySpan<uint>)[value.Months, value.Days, value.Milliseconds])
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_span[_used..], part);
            _used += sizeof(uint);
        }
    }

    // The precision that a schema may have leaves room for the sign.
    private void WriteSigned(scoped ReadOnlySpan<byte> number, int size)
    {
        Ensure(size);
        Span<byte> target = _span.Slice(_used, size);
        target.Fill((sbyte)number[0] < 0 ? (byte)0xff : (byte)0);
        number.CopyTo(target[(size - number.Length)..]);
        _used += size;
    }
}
