using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text;
using MongoDB.Bson;
using MongoDB.Bson.IO;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>Writes BSON (bsonspec.org) into pooled memory, with names that are encoded once. Not thread-safe.</summary>
internal sealed class BsonBuffer : IDisposable
{
    private const int InitialBytes = 64 * 1024;

    // As the driver: text that is not Unicode is refused, not replaced.
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(InitialBytes);

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>A field's name as it is in a document, with its end.</summary>
    public static byte[] NameOf(string field) =>
        field.Contains('\0', StringComparison.Ordinal)
            ? throw new ArgumentException($"The field name '{field}' has a zero character.", nameof(field))
            : [.. Strict.GetBytes(field), 0];

    public int StartDocument()
    {
        Take(sizeof(int));
        return Length - sizeof(int);
    }

    public int StartDocument(ReadOnlySpan<byte> name)
    {
        Head(BsonType.Document, name);
        return StartDocument();
    }

    /// <summary>Starts a document that is item <paramref name="index"/> of an array.</summary>
    public int StartItem(int index)
    {
        Span<byte> name = stackalloc byte[12];
        Utf8Formatter.TryFormat(index, name, out int length);
        name[length] = 0;
        return StartDocument(name[..(length + 1)]);
    }

    public void EndDocument(int start)
    {
        Take(1)[0] = 0;
        BinaryPrimitives.WriteInt32LittleEndian(_bytes.AsSpan(start), Length - start);
    }

    public void String(ReadOnlySpan<byte> name, string? value)
    {
        if (value is null)
        {
            Null(name);
            return;
        }

        Head(BsonType.String, name);
        Span<byte> space = Reserve(sizeof(int) + Strict.GetMaxByteCount(value.Length) + 1);
        int length = Strict.GetBytes(value, space[sizeof(int)..]);
        BinaryPrimitives.WriteInt32LittleEndian(space, length + 1);
        space[sizeof(int) + length] = 0;
        Length += sizeof(int) + length + 1;
    }

    public void Int32(ReadOnlySpan<byte> name, int value)
    {
        Head(BsonType.Int32, name);
        BinaryPrimitives.WriteInt32LittleEndian(Take(sizeof(int)), value);
    }

    public void Int64(ReadOnlySpan<byte> name, long value)
    {
        Head(BsonType.Int64, name);
        BinaryPrimitives.WriteInt64LittleEndian(Take(sizeof(long)), value);
    }

    public void Double(ReadOnlySpan<byte> name, double value)
    {
        Head(BsonType.Double, name);
        BinaryPrimitives.WriteDoubleLittleEndian(Take(sizeof(double)), value);
    }

    public void Boolean(ReadOnlySpan<byte> name, bool value)
    {
        Head(BsonType.Boolean, name);
        Take(1)[0] = value ? (byte)1 : (byte)0;
    }

    public void DateTime(ReadOnlySpan<byte> name, DateTime value)
    {
        Head(BsonType.DateTime, name);
        BinaryPrimitives.WriteInt64LittleEndian(Take(sizeof(long)), BsonUtils.ToMillisecondsSinceEpoch(BsonUtils.ToUniversalTime(value)));
    }

    public void Null(ReadOnlySpan<byte> name) => Head(BsonType.Null, name);

    /// <summary>Fields that are encoded already.</summary>
    public void Raw(ReadOnlySpan<byte> fields) => fields.CopyTo(Take(fields.Length));

    /// <summary>What was written from <paramref name="start"/> on, as an array of its own for the driver.</summary>
    public RawBsonArray ToArray(int start) => new(new ByteArrayBuffer(_bytes.AsSpan(start, Length - start).ToArray(), isReadOnly: true));

    public void Clear() => Length = 0;

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
    }

    private void Head(BsonType type, ReadOnlySpan<byte> name)
    {
        Span<byte> head = Take(1 + name.Length);
        head[0] = (byte)type;
        name.CopyTo(head[1..]);
    }

    private Span<byte> Take(int length)
    {
        Span<byte> taken = Reserve(length)[..length];
        Length += length;
        return taken;
    }

    private Span<byte> Reserve(int length)
    {
        if (_bytes.Length - Length < length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_bytes.Length * 2, Length + length));
            Written.CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = larger;
        }

        return _bytes.AsSpan(Length);
    }
}
