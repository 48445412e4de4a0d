using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Text.Json;
using System.Text.Unicode;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Schemas;
using ParquetSharp;
using AvroLogicalType = KafkaEventSourcing.Avro.Schemas.LogicalType;
using LogicalType = ParquetSharp.LogicalType;

namespace KafkaEventSourcing.Archive;

/// <summary>Columns for the types of Avro that are one value.</summary>
/// <param name="bytes">Where texts and bytes are until they are written.</param>
internal sealed class TypedValues(PinnedBytes bytes)
{
    /// <summary>
    /// How many digits a decimal has at most that is a number: readers take longer ones as floating point, or not at all.
    /// </summary>
    public const int MaxDigits = 38;

    private const int UuidBytes = 16;

    public static TypedColumnType Int32 { get; } = new(PhysicalType.Int32, LogicalType.None);

    public static TypedColumnType Int64 { get; } = new(PhysicalType.Int64, LogicalType.None);

    public static TypedColumnType Utf8Text { get; } = new(PhysicalType.ByteArray, LogicalType.String);

    public static TypedColumnType Micros { get; } = new(PhysicalType.Int64, () => LogicalType.Timestamp(true, TimeUnit.Micros));

    private static TypedColumnType JsonText { get; } = new(PhysicalType.ByteArray, LogicalType.Json);

    private static TypedColumnType Binary { get; } = new(PhysicalType.ByteArray, LogicalType.None);

    private readonly PinnedBytes _symbols = new();
    private readonly ArrayBufferWriter<byte> _json = new();

    public TypedLeaf<ByteArray> Text(string name, TypedLevels levels) => new(name, levels, Utf8Text, ReadText);

    /// <summary>A value of any schema as text.</summary>
    public TypedLeaf<ByteArray> Json(AvroSchema schema, string name, TypedLevels levels) =>
        new(name, levels, JsonText, (ref AvroReader reader) => ReadJson(ref reader, schema));

    /// <summary>What has no value but null, always missing.</summary>
    public static TypedLeaf<ByteArray> Null(string name, TypedLevels levels) => new(name, levels, JsonText, null);

    /// <summary>A part of a duration: a number of 32 bits without a sign.</summary>
    public static TypedLeaf<long> Duration(string name, TypedLevels levels) => new(name, levels, Int64,
        static (ref AvroReader reader) => BinaryPrimitives.ReadUInt32LittleEndian(reader.ReadFixed(sizeof(uint))));

    public TypedLeaf Scalar(AvroSchema schema, string name, TypedLevels levels) => schema switch
    {
        EnumSchema symbols => Enum(symbols, name, levels),
        { Logical: { Kind: LogicalKind.Decimal } number } => Decimal(schema, number, name, levels),
        { Logical.Kind: LogicalKind.Uuid } => new TypedLeaf<FixedLenByteArray>(name, levels,
            new TypedColumnType(PhysicalType.FixedLenByteArray, LogicalType.Uuid, UuidBytes), schema is FixedSchema
                ? (ref AvroReader reader) => Fixed(reader.ReadFixed(UuidBytes))
                : ReadUuid),
        FixedSchema { Size: 0 } => new TypedLeaf<ByteArray>(name, levels, Binary, (ref AvroReader _) => bytes.Add([])),
        FixedSchema { Size: var size } => new TypedLeaf<FixedLenByteArray>(name, levels,
            new TypedColumnType(PhysicalType.FixedLenByteArray, LogicalType.None, size),
            (ref AvroReader reader) => Fixed(reader.ReadFixed(size))),
        { Kind: SchemaKind.Boolean } => new TypedLeaf<bool>(name, levels, new TypedColumnType(PhysicalType.Boolean, LogicalType.None),
            static (ref AvroReader reader) => reader.ReadBoolean()),
        { Kind: SchemaKind.Int } => new TypedLeaf<int>(name, levels, IntType(schema), ReadInt(schema)),
        { Kind: SchemaKind.Long } => new TypedLeaf<long>(name, levels, LongType(schema), ReadLong(schema)),
        { Kind: SchemaKind.Float } => new TypedLeaf<float>(name, levels, new TypedColumnType(PhysicalType.Float, LogicalType.None),
            static (ref AvroReader reader) => reader.ReadFloat()),
        { Kind: SchemaKind.Double } => new TypedLeaf<double>(name, levels, new TypedColumnType(PhysicalType.Double, LogicalType.None),
            static (ref AvroReader reader) => reader.ReadDouble()),
        { Kind: SchemaKind.Bytes } => new TypedLeaf<ByteArray>(name, levels, Binary,
            (ref AvroReader reader) => bytes.Add(reader.ReadSpan())),
        _ => Text(name, levels),
    };

    private static TypedColumnType IntType(AvroSchema schema) => schema.Logical?.Kind switch
    {
        LogicalKind.Date => new TypedColumnType(PhysicalType.Int32, LogicalType.Date),
        LogicalKind.TimeMillis => new TypedColumnType(PhysicalType.Int32, () => LogicalType.Time(false, TimeUnit.Millis)),
        _ => Int32,
    };

    private static TypedColumnType LongType(AvroSchema schema) => schema.Logical?.Kind switch
    {
        LogicalKind.TimeMicros => new TypedColumnType(PhysicalType.Int64, () => LogicalType.Time(false, TimeUnit.Micros)),
        LogicalKind.TimestampMillis => new TypedColumnType(PhysicalType.Int64, () => LogicalType.Timestamp(true, TimeUnit.Millis)),
        LogicalKind.TimestampMicros => Micros,
        LogicalKind.TimestampNanos => new TypedColumnType(PhysicalType.Int64, () => LogicalType.Timestamp(true, TimeUnit.Nanos)),
        LogicalKind.LocalTimestampMillis => new TypedColumnType(PhysicalType.Int64, () => LogicalType.Timestamp(false, TimeUnit.Millis)),
        LogicalKind.LocalTimestampMicros => new TypedColumnType(PhysicalType.Int64, () => LogicalType.Timestamp(false, TimeUnit.Micros)),
        LogicalKind.LocalTimestampNanos => new TypedColumnType(PhysicalType.Int64, () => LogicalType.Timestamp(false, TimeUnit.Nanos)),
        _ => Int64,
    };

    // Days and times that the library itself does not read are refused here too: one such value ends a reader's whole query.
    private static ReadTyped<int> ReadInt(AvroSchema schema) => schema.Logical?.Kind switch
    {
        LogicalKind.Date => static (ref AvroReader reader) =>
        {
            int days = reader.ReadInt();
            _ = AvroTime.FromDays(days);
            return days;
        },
        LogicalKind.TimeMillis => static (ref AvroReader reader) =>
        {
            int millis = reader.ReadInt();
            _ = AvroTime.FromMillisOfDay(millis);
            return millis;
        },
        _ => static (ref AvroReader reader) => reader.ReadInt(),
    };

    private static ReadTyped<long> ReadLong(AvroSchema schema) => schema.Logical?.Kind switch
    {
        LogicalKind.TimeMicros => static (ref AvroReader reader) =>
        {
            long micros = reader.ReadLong();
            _ = AvroTime.FromMicrosOfDay(micros);
            return micros;
        },
        LogicalKind.TimestampMillis or LogicalKind.LocalTimestampMillis => static (ref AvroReader reader) =>
        {
            long millis = reader.ReadLong();
            _ = AvroTime.FromMillis(millis);
            return millis;
        },
        LogicalKind.TimestampMicros or LogicalKind.LocalTimestampMicros => static (ref AvroReader reader) =>
        {
            long micros = reader.ReadLong();
            _ = AvroTime.FromMicros(micros);
            return micros;
        },
        LogicalKind.TimestampNanos or LogicalKind.LocalTimestampNanos => static (ref AvroReader reader) =>
        {
            long nanos = reader.ReadLong();
            _ = AvroTime.FromNanos(nanos);
            return nanos;
        },
        _ => static (ref AvroReader reader) => reader.ReadLong(),
    };

    private TypedLeaf<ByteArray> Enum(EnumSchema schema, string name, TypedLevels levels)
    {
        ByteArray[] symbols = [.. schema.Symbols.Select(_symbols.Add)];
        return new TypedLeaf<ByteArray>(name, levels, Utf8Text, (ref AvroReader reader) => symbols[reader.ReadIndex(symbols.Length)]);
    }

    private TypedLeaf Decimal(AvroSchema schema, AvroLogicalType number, string name, TypedLevels levels)
    {
        int? size = (schema as FixedSchema)?.Size;
        (int precision, int scale) = (number.Precision, number.Scale);
        if (precision > MaxDigits)
            return new TypedLeaf<ByteArray>(name, levels, Utf8Text, (ref AvroReader reader) => bytes.Add((size is { } length
                ? reader.ReadFixedLongDecimal(length, precision, scale)
                : reader.ReadLongDecimal(precision, scale)).ToString()));
        int width = BytesOf(precision);
        Int128 most = Int128.Parse("1" + new string('0', precision), System.Globalization.CultureInfo.InvariantCulture);
        return new TypedLeaf<FixedLenByteArray>(name, levels,
            new TypedColumnType(PhysicalType.FixedLenByteArray, () => LogicalType.Decimal(precision, scale), width),
            (ref AvroReader reader) =>
            {
                ReadOnlySpan<byte> digits = size is { } length ? reader.ReadFixed(length) : reader.ReadSpan();
                if (!TryReadNumber(digits, out Int128 unscaled) || Int128.Abs(unscaled) >= most)
                    throw new AvroDecodeException(reader.Position - digits.Length, digits.IsEmpty
                        ? "A decimal has no bytes."
                        : $"A decimal has more than the {precision} digits of its schema.");
                Span<byte> all = stackalloc byte[UuidBytes];
                BinaryPrimitives.WriteInt128BigEndian(all, unscaled);
                return Fixed(all[(all.Length - width)..]);
            });
    }

    private static bool TryReadNumber(ReadOnlySpan<byte> bytes, out Int128 number)
    {
        number = 0;
        if (bytes.IsEmpty)
            return false;
        byte sign = (sbyte)bytes[0] < 0 ? (byte)0xff : (byte)0;
        while (bytes.Length > 1 && bytes[0] == sign && (bytes[1] & 0x80) == (sign & 0x80))
            bytes = bytes[1..];
        if (bytes.Length > UuidBytes)
            return false;
        number = sign == 0 ? 0 : -1;
        foreach (byte part in bytes)
            number = (number << 8) | part;
        return number != Int128.MinValue; // it has 39 digits, and no positive twin
    }

    // As few bytes as hold any number of so many digits, with its sign.
    private static int BytesOf(int digits) => (int)(BigInteger.Pow(10, digits).GetBitLength() + 8) / 8;

    private ByteArray ReadText(ref AvroReader reader)
    {
        ReadOnlySpan<byte> text = reader.ReadSpan();
        return Utf8.IsValid(text) ? bytes.Add(text) : throw new AvroDecodeException(reader.Position - text.Length, "A text is not UTF-8.");
    }

    private ByteArray ReadJson(ref AvroReader reader, AvroSchema schema)
    {
        _json.ResetWrittenCount();
        using (var json = new Utf8JsonWriter(_json, AvroJson.Options))
            AvroJson.Write(json, ref reader, schema);
        return bytes.Add(_json.WrittenSpan);
    }

    private FixedLenByteArray ReadUuid(ref AvroReader reader)
    {
        Span<byte> uuid = stackalloc byte[UuidBytes];
        reader.ReadUuid().TryWriteBytes(uuid, bigEndian: true, out _);
        return Fixed(uuid);
    }

    private FixedLenByteArray Fixed(ReadOnlySpan<byte> value) => new(bytes.Add(value).Pointer);
}
