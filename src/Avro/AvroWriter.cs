using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// Writes Avro's binary encoding (Avro specification 1.12, "Binary Encoding") into a buffer that is reused. Call <see cref="Flush"/> when
/// done. Not thread-safe; a <c>ref struct</c>, so it lives on the stack.
/// </summary>
public ref partial struct AvroWriter
{
    private const int MaxVarint = 10;
    private const int MinRequest = 256;

    private readonly IBufferWriter<byte> _output;
    private readonly IFieldProtection? _protection; // null: what is personal is written as it is
    private readonly string? _subject;
    private readonly bool _marksErased;
    private Span<byte> _span;
    private int _used;
    private int _depth;
    private int _empty;

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

    /// <summary>Writes a string: its length in bytes, then UTF-8. A lone surrogate, which has no UTF-8, becomes U+FFFD.</summary>
    public void WriteString(string value) => WriteString(value, Encoding.UTF8);

    /// <summary>
    /// Writes a string of <paramref name="field"/>, which is record and field, divided by a dot: its length in bytes, then UTF-8.
    /// </summary>
    /// <exception cref="AvroEncodeException">It is null or has a lone surrogate, which has no UTF-8.</exception>
    public void WriteString(string? value, string field)
    {
        try
        {
            WriteString(value ?? throw Null(field), AvroLimits.Utf8);
        }
        catch (EncoderFallbackException lone)
        {
            throw Lone(field, lone);
        }
    }

    /// <summary>Writes bytes of <paramref name="field"/>: their length, then themselves.</summary>
    /// <exception cref="AvroEncodeException">They are null.</exception>
    public void WriteBytes(byte[]? value, string field) => WriteBytes((value ?? throw Null(field)).AsSpan());

    /// <summary>Writes the symbol of an enum in <paramref name="field"/>, which has <paramref name="count"/> symbols.</summary>
    /// <exception cref="AvroEncodeException">The schema has no such symbol, as of flags that are combined or a number that was
    /// cast.</exception>
    public void WriteSymbol(int symbol, int count, string field)
    {
        if ((uint)symbol >= (uint)count)
            throw new AvroEncodeException(field, $"The enum has no symbol of the number {symbol}; it has {count}, from 0 on.");
        WriteLong(symbol);
    }

    /// <summary>Writes how many items an array or a map in <paramref name="field"/> has, as its only block; it has at least one.</summary>
    /// <exception cref="AvroEncodeException"><paramref name="mayBeEmpty"/>: items may take no byte, and the value has more than
    /// <see cref="AvroLimits.MaxEmptyItems"/> of them.</exception>
    public void WriteCount(int count, bool mayBeEmpty, string field)
    {
        if (mayBeEmpty && (_empty += count) > AvroLimits.MaxEmptyItems)
            throw new AvroEncodeException(field,
                $"The value has {_empty} items that may be empty; at most {AvroLimits.MaxEmptyItems} are allowed.");
        WriteLong(count);
    }

    /// <summary>Begins the record <paramref name="place"/>, or an array or a map of that field; <see cref="Leave"/> ends it.</summary>
    /// <exception cref="AvroEncodeException">It is nested deeper than <see cref="AvroLimits.MaxDepth"/>.</exception>
    public void Enter(string place)
    {
        if (++_depth > AvroLimits.MaxDepth)
            throw new AvroEncodeException(place, $"The value is nested deeper than {AvroLimits.MaxDepth} records, arrays and maps.");
    }

    /// <summary>Ends a record, an array or a map.</summary>
    public void Leave() => _depth--;

    /// <summary>The error of a value of <paramref name="field"/> that is null.</summary>
    public static AvroEncodeException Null(string field) => new(field, "The value is null, and the schema has no null there.");

    /// <summary>The error of a collection of <paramref name="field"/> that has more or fewer items than it says.</summary>
    public static AvroEncodeException Miscounted(string field) => new(field, "The collection has another number of items than it says.");

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

    private void WriteString(string value, Encoding utf8)
    {
        int bytes = utf8.GetByteCount(value);
        WriteLong(bytes);
        Ensure(bytes);
        _used += utf8.GetBytes(value, _span[_used..]);
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
