using System.Buffers.Binary;
using System.Text;
using KafkaEventSourcing.Embedded.MongoDB.Query;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>
/// Values as bytes whose order is MongoDB's order of values; a descending component is inverted. Queries check what an index gives them, so
/// values that share a key (decimals beyond the precision of a double) cost time, never a wrong answer.
/// </summary>
internal sealed class KeyString
{
    private byte[] _buffer = new byte[128];
    private int _length;

    public KeyString Reset()
    {
        _length = 0;
        return this;
    }

    public byte[] ToArray() => _buffer.AsSpan(0, _length).ToArray();

    public KeyString Raw(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Take(bytes.Length));
        return this;
    }

    public KeyString Int32(int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(Take(sizeof(int)), value);
        return this;
    }

    public KeyString Append(BsonValue value, bool descending = false)
    {
        int start = _length;
        Write(value);
        if (descending)
            Invert(start);
        return this;
    }

    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, _length);

    /// <summary>Appends a field's value from its bytes; false, and nothing is appended, for types that take the general way.</summary>
    public bool TryAppend(BsonType type, ReadOnlySpan<byte> value, bool descending = false)
    {
        int start = _length;
        switch (type)
        {
            case BsonType.String:
                Byte((byte)(BsonValueComparer.Rank(BsonType.String) + 1));
                Text(value[sizeof(int)..^1]);
                break;
            case BsonType.Int32:
                Byte((byte)(BsonValueComparer.Rank(BsonType.Int32) + 1));
                Number(BinaryPrimitives.ReadInt32LittleEndian(value), 0);
                break;
            case BsonType.Int64:
                long number = BinaryPrimitives.ReadInt64LittleEndian(value);
                Byte((byte)(BsonValueComparer.Rank(BsonType.Int64) + 1));
                Number(number, RestOf(number, number));
                break;
            case BsonType.DateTime:
                Byte((byte)(BsonValueComparer.Rank(BsonType.DateTime) + 1));
                BinaryPrimitives.WriteInt64BigEndian(Take(sizeof(long)), BinaryPrimitives.ReadInt64LittleEndian(value) ^ long.MinValue);
                break;
            case BsonType.ObjectId:
                Byte((byte)(BsonValueComparer.Rank(BsonType.ObjectId) + 1));
                value.CopyTo(Take(value.Length));
                break;
            case BsonType.Boolean:
                Byte((byte)(BsonValueComparer.Rank(BsonType.Boolean) + 1));
                Byte(value[0]);
                break;
            case BsonType.Null:
                Byte((byte)(BsonValueComparer.Rank(BsonType.Null) + 1));
                break;
            default:
                return false;
        }

        if (descending)
            Invert(start);
        return true;
    }

    private void Invert(int start)
    {
        for (int i = start; i < _length; i++)
            _buffer[i] = (byte)~_buffer[i];
    }

    private Span<byte> Take(int bytes)
    {
        if (_buffer.Length - _length < bytes)
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _length + bytes));
        Span<byte> span = _buffer.AsSpan(_length, bytes);
        _length += bytes;
        return span;
    }

    private void Byte(byte value) => Take(1)[0] = value;

    private void Write(BsonValue value)
    {
        // No rank is zero, which ends arrays and documents.
        Byte((byte)(BsonValueComparer.Rank(value) + 1));
        switch (value)
        {
            case BsonInt32 or BsonInt64 or BsonDouble or BsonDecimal128:
                Number(value);
                break;
            case BsonString or BsonSymbol:
                Text(Encoding.UTF8.GetBytes(value is BsonSymbol symbol ? symbol.Name : value.AsString));
                break;
            case BsonBoolean boolean:
                Byte(boolean.Value ? (byte)1 : (byte)0);
                break;
            case BsonDateTime date:
                BinaryPrimitives.WriteInt64BigEndian(Take(sizeof(long)), date.MillisecondsSinceEpoch ^ long.MinValue);
                break;
            case BsonTimestamp stamp:
                BinaryPrimitives.WriteInt64BigEndian(Take(sizeof(long)), stamp.Value);
                break;
            case BsonObjectId id:
                id.Value.ToByteArray().CopyTo(Take(12));
                break;
            case BsonBinaryData binary:
                BinaryPrimitives.WriteInt32BigEndian(Take(sizeof(int)), binary.Bytes.Length);
                Byte((byte)binary.SubType);
                binary.Bytes.CopyTo(Take(binary.Bytes.Length));
                break;
            case BsonDocument document:
                foreach (BsonElement element in document)
                {
                    Byte((byte)(BsonValueComparer.Rank(element.Value) + 1));
                    Text(Encoding.UTF8.GetBytes(element.Name));
                    Write(element.Value);
                }

                Byte(0);
                break;
            case BsonArray array:
                foreach (BsonValue item in array)
                    Write(item);
                Byte(0);
                break;
            case BsonRegularExpression regex:
                Text(Encoding.UTF8.GetBytes(regex.Pattern));
                Text(Encoding.UTF8.GetBytes(regex.Options));
                break;
        }
    }

    // A zero byte is escaped, so that the end sorts before everything.
    private void Text(ReadOnlySpan<byte> bytes)
    {
        for (int zero = bytes.IndexOf((byte)0); zero >= 0; zero = bytes.IndexOf((byte)0))
        {
            Raw(bytes[..(zero + 1)]);
            Byte(0xff);
            bytes = bytes[(zero + 1)..];
        }

        Raw(bytes);
        Byte(0);
        Byte(0);
    }

    private void Number(BsonValue value)
    {
        double nearest = value.BsonType == BsonType.Decimal128 ? Decimal128.ToDouble(value.AsDecimal128) : value.ToDouble();
        Number(nearest, value.BsonType == BsonType.Int64 ? RestOf(value.AsInt64, nearest) : (short)0);
    }

    private static short RestOf(long value, double nearest) => (short)(Int128.CreateChecked(value) - (Int128)nearest);

    // The double nearest to the value, in an order of unsigned bytes, then how far a long is from it.
    private void Number(double nearest, short rest)
    {
        if (nearest == 0)
            nearest = 0; // no negative zero
        long bits = BitConverter.DoubleToInt64Bits(nearest);
        bits = bits < 0 ? ~bits : bits ^ long.MinValue;
        BinaryPrimitives.WriteInt64BigEndian(Take(sizeof(long)), bits);
        BinaryPrimitives.WriteInt16BigEndian(Take(sizeof(short)), (short)(rest ^ short.MinValue));
    }
}
