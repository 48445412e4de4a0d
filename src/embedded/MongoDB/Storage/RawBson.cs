using System.Buffers.Binary;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>A field as it is in a document's bytes.</summary>
internal readonly ref struct RawElement(BsonType type, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
{
    public BsonType Type { get; } = type;

    public ReadOnlySpan<byte> Name { get; } = name;

    public ReadOnlySpan<byte> Value { get; } = value;
}

/// <summary>
/// The fields of a document, read from its bytes without making objects of them (BSON specification 1.1). Every length is checked against
/// what is there, so a document that was walked to its end is well-formed on this level.
/// </summary>
internal ref struct RawBson
{
    private const int MaxDepth = 180; // MongoDB's own bound
    private readonly ReadOnlySpan<byte> _document;
    private int _at;

    public RawBson(ReadOnlySpan<byte> document)
    {
        if (document.Length < 5 || BinaryPrimitives.ReadInt32LittleEndian(document) != document.Length || document[^1] != 0)
            throw new FormatException("A document's length is not what it says.");
        _document = document[..^1];
        _at = sizeof(int);
    }

    public RawElement Current { get; private set; }

    /// <summary>Goes to the next field; false behind the last one.</summary>
    /// <exception cref="FormatException">The document is malformed.</exception>
    public bool MoveNext()
    {
        if (_at >= _document.Length)
            return false;
        var type = (BsonType)_document[_at++];
        int end = _document[_at..].IndexOf((byte)0);
        if (end < 0)
            throw new FormatException("A field's name has no end.");
        ReadOnlySpan<byte> name = _document.Slice(_at, end);
        _at += end + 1;
        int length = LengthOf(type, _document[_at..]);
        if (length < 0 || length > _document.Length - _at)
            throw new FormatException("A field is longer than its document.");
        Current = new RawElement(type, name, _document.Slice(_at, length));
        _at += length;
        return true;
    }

    /// <summary>The field of <paramref name="document"/> that has the name.</summary>
    public static bool TryFind(ReadOnlySpan<byte> document, ReadOnlySpan<byte> name, out RawElement field)
    {
        var fields = new RawBson(document);
        while (fields.MoveNext())
        {
            field = fields.Current;
            if (field.Name.SequenceEqual(name))
                return true;
        }

        field = default;
        return false;
    }

    /// <summary>Checks a document and all documents in it.</summary>
    /// <exception cref="FormatException">It is malformed, or nested too deep.</exception>
    public static void Check(ReadOnlySpan<byte> document, int depth = 0)
    {
        if (depth > MaxDepth)
            throw new FormatException($"A document is nested deeper than {MaxDepth}.");
        var fields = new RawBson(document);
        while (fields.MoveNext())
        {
            RawElement field = fields.Current;
            if (field.Type is BsonType.Document or BsonType.Array)
                Check(field.Value, depth + 1);
            else if (field.Type == BsonType.String && field.Value[^1] != 0)
                throw new FormatException("A string has no end.");
        }
    }

    private static int LengthOf(BsonType type, ReadOnlySpan<byte> value) => type switch
    {
        BsonType.Double or BsonType.DateTime or BsonType.Timestamp or BsonType.Int64 => sizeof(long),
        BsonType.Int32 => sizeof(int),
        BsonType.Boolean => 1,
        BsonType.ObjectId => 12,
        BsonType.Decimal128 => 16,
        BsonType.Null or BsonType.Undefined or BsonType.MinKey or BsonType.MaxKey => 0,
        BsonType.String or BsonType.JavaScript or BsonType.Symbol => sizeof(int) + AtLeast(1, Int32(value)),
        BsonType.Document or BsonType.Array => AtLeast(5, Int32(value)),
        BsonType.JavaScriptWithScope => AtLeast(14, Int32(value)),
        BsonType.Binary => sizeof(int) + 1 + AtLeast(0, Int32(value)),
        BsonType.RegularExpression => RegexLength(value),
        _ => throw new FormatException($"A field has the unknown type {(int)type}."),
    };

    private static int Int32(ReadOnlySpan<byte> value) =>
        value.Length >= sizeof(int)
            ? BinaryPrimitives.ReadInt32LittleEndian(value)
            : throw new FormatException("A document ends within a field.");

    private static int AtLeast(int least, int length) =>
        length >= least && length < int.MaxValue - 16 ? length : throw new FormatException($"A field announces {length} bytes.");

    private static int RegexLength(ReadOnlySpan<byte> value)
    {
        int pattern = value.IndexOf((byte)0);
        int options = pattern < 0 ? -1 : value[(pattern + 1)..].IndexOf((byte)0);
        return options < 0 ? throw new FormatException("A regular expression has no end.") : pattern + 1 + options + 1;
    }
}
