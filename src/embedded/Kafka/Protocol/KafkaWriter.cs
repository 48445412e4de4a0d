using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace KafkaEventSourcing.Embedded.Kafka.Protocol;

/// <summary>
/// Writes Kafka's primitive types into a pooled buffer. Large record sets are not copied: they stay where they are, and
/// <see cref="Gather"/> lists them in place.
/// </summary>
internal sealed class KafkaWriter : IDisposable
{
    private const int CopiedRecords = 8 * 1024;

    private readonly List<(int At, ReadOnlyMemory<byte> Records)> _inserted = [];
    private readonly List<IDisposable> _kept = [];
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(1024);

    /// <summary>Bytes in the buffer.</summary>
    public int Length { get; private set; }

    /// <summary>Bytes of record sets that stayed outside the buffer.</summary>
    public long InsertedBytes { get; private set; }

    public Memory<byte> Written => _buffer.AsMemory(0, Length);

    public void Dispose()
    {
        Release();
        ArrayPool<byte>.Shared.Return(_buffer);
    }

    /// <summary>Keeps what record sets lie in until they are sent: it is disposed with the next <see cref="Reset"/>.</summary>
    public void Keep(IDisposable memory) => _kept.Add(memory);

    public void Reset()
    {
        Length = 0;
        InsertedBytes = 0;
        _inserted.Clear();
        Release();
        if (_buffer.Length <= 64 * 1024)
            return;
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = ArrayPool<byte>.Shared.Rent(1024);
    }

    /// <summary>Forgets what was written from <paramref name="length"/> on.</summary>
    public void Shrink(int length) => Length = length;

    public Span<byte> Take(int bytes)
    {
        if (_buffer.Length - Length < bytes)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_buffer.Length * 2, Length + bytes));
            _buffer.AsSpan(0, Length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }

        Span<byte> span = _buffer.AsSpan(Length, bytes);
        Length += bytes;
        return span;
    }

    public void WriteInt8(sbyte value) => Take(1)[0] = (byte)value;

    public void WriteInt16(short value) => BinaryPrimitives.WriteInt16BigEndian(Take(sizeof(short)), value);

    public void WriteInt32(int value) => BinaryPrimitives.WriteInt32BigEndian(Take(sizeof(int)), value);

    public void WriteInt64(long value) => BinaryPrimitives.WriteInt64BigEndian(Take(sizeof(long)), value);

    public void WriteFloat64(double value) => BinaryPrimitives.WriteDoubleBigEndian(Take(sizeof(double)), value);

    public void WriteUuid(Guid value) => value.TryWriteBytes(Take(16), bigEndian: true, out _);

    public void WriteUnsignedVarint(int value)
    {
        uint rest = (uint)value;
        while (rest >= 0x80)
        {
            Take(1)[0] = (byte)(rest | 0x80);
            rest >>= 7;
        }

        Take(1)[0] = (byte)rest;
    }

    /// <summary>A zig-zag varint, as records use it.</summary>
    public void WriteVarlong(long value)
    {
        ulong rest = (ulong)((value << 1) ^ (value >> 63));
        while (rest >= 0x80)
        {
            Take(1)[0] = (byte)(rest | 0x80);
            rest >>= 7;
        }

        Take(1)[0] = (byte)rest;
    }

    public void WriteString(string? value, bool flexible)
    {
        int length = value is null ? -1 : Encoding.UTF8.GetByteCount(value);
        if (flexible)
            WriteUnsignedVarint(length + 1);
        else
            WriteInt16(checked((short)length));
        if (value is not null)
            Encoding.UTF8.GetBytes(value, Take(length));
    }

    public void WriteBytes(ReadOnlyMemory<byte>? value, bool flexible)
    {
        int length = value?.Length ?? -1;
        if (flexible)
            WriteUnsignedVarint(length + 1);
        else
            WriteInt32(length);
        if (value is { } bytes)
            bytes.Span.CopyTo(Take(length));
    }

    public void WriteArrayLength(int length, bool flexible)
    {
        if (flexible)
            WriteUnsignedVarint(length + 1);
        else
            WriteInt32(length);
    }

    public void WriteRaw(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Take(bytes.Length));

    /// <summary>Writes a record set; a large one is only referred to, and must stay as it is until it is sent.</summary>
    public void WriteRecords(ReadOnlyMemory<byte>? records, bool flexible)
    {
        if (records is not { Length: > CopiedRecords } large)
        {
            WriteBytes(records, flexible);
            return;
        }

        if (flexible)
            WriteUnsignedVarint(large.Length + 1);
        else
            WriteInt32(large.Length);
        _inserted.Add((Length, large));
        InsertedBytes += large.Length;
    }

    private void Release()
    {
        foreach (IDisposable memory in _kept)
            memory.Dispose();
        _kept.Clear();
    }

    /// <summary>Everything that was written, in order, from buffer and record sets.</summary>
    public void Gather(List<ArraySegment<byte>> segments)
    {
        int from = 0;
        foreach ((int at, ReadOnlyMemory<byte> records) in _inserted)
        {
            if (at > from)
                segments.Add(new ArraySegment<byte>(_buffer, from, at - from));
            from = at;
            segments.Add(MemoryMarshal.TryGetArray(records, out ArraySegment<byte> array)
                ? array
                : new ArraySegment<byte>(records.ToArray()));
        }

        if (Length > from)
            segments.Add(new ArraySegment<byte>(_buffer, from, Length - from));
    }
}
