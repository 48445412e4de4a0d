using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// Writes Avro's binary encoding (Avro specification 1.12, "Binary Encoding") into a buffer that is reused. Call <see cref="Flush"/> when done. Not
/// thread-safe; a <c>ref struct</c>, so it lives on the stack.
/// </summary>
public ref struct AvroWriter
{
    private const int MaxVarint = 10;
    private const int MinRequest = 256;

    private readonly IBufferWriter<byte> _output;
    private Span<byte> _span;
    private int _used;

    /// <summary>Writes to <paramref name="output"/>.</summary>
    public AvroWriter(IBufferWriter<byte> output)
    {
        _output = output;
        _span = output.GetSpan(MinRequest);
        _used = 0;
    }

    /// <summary>Hands what was written to the buffer.</summary>
    public void Flush()
    {
        _output.Advance(_used);
        _span = default;
        _used = 0;
    }

    /// <summary>Writes a boolean.</summary>
    public void WriteBoolean(bool value)
    {
        Ensure(1);
        _span[_used++] = value ? (byte)1 : (byte)0;
    }

    /// <summary>Writes an int, also the index of an enum or a union.</summary>
    public void WriteInt(int value) => WriteLong(value);

    /// <summary>Writes a long: zig-zag, then seven bits a byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void WriteLong(long value)
    {
        Ensure(MaxVarint);
        ulong bits = (ulong)((value << 1) ^ (value >> 63));
        while (bits >= 0x80)
        {
            _span[_used++] = (byte)(bits | 0x80);
            bits >>= 7;
        }

        _span[_used++] = (byte)bits;
    }

    /// <summary>Writes a float.</summary>
    public void WriteFloat(float value)
    {
        Ensure(sizeof(float));
        BinaryPrimitives.WriteSingleLittleEndian(_span[_used..], value);
        _used += sizeof(float);
    }

    /// <summary>Writes a double.</summary>
    public void WriteDouble(double value)
    {
        Ensure(sizeof(double));
        BinaryPrimitives.WriteDoubleLittleEndian(_span[_used..], value);
        _used += sizeof(double);
    }

    /// <summary>Writes a string: its length in bytes, then UTF-8.</summary>
    public void WriteString(string value)
    {
        int bytes = Encoding.UTF8.GetByteCount(value);
        WriteLong(bytes);
        Ensure(bytes);
        _used += Encoding.UTF8.GetBytes(value, _span[_used..]);
    }

    /// <summary>Writes bytes: their length, then themselves.</summary>
    public void WriteBytes(ReadOnlySpan<byte> value)
    {
        WriteLong(value.Length);
        WriteFixed(value);
    }

    /// <summary>Writes bytes without a length.</summary>
    public void WriteFixed(ReadOnlySpan<byte> value)
    {
        Ensure(value.Length);
        value.CopyTo(_span[_used..]);
        _used += value.Length;
    }

    private void Ensure(int bytes)
    {
        if (_span.Length - _used >= bytes)
            return;
        _output.Advance(_used);
        _used = 0;
        _span = _output.GetSpan(Math.Max(bytes, MinRequest));
    }
}
