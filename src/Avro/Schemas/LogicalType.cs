using System.Text.Json;

namespace KafkaEventSourcing.Avro.Schemas;

/// <summary>The logical types of the Avro specification 1.12.</summary>
internal enum LogicalKind
{
    Date,
    TimeMillis,
    TimeMicros,
    TimestampMillis,
    TimestampMicros,
    TimestampNanos,
    LocalTimestampMillis,
    LocalTimestampMicros,
    LocalTimestampNanos,
    Decimal,
    Uuid,
    Duration,
}

/// <summary>What the bytes of a type mean; precision and scale are of decimals.</summary>
internal readonly record struct LogicalType(LogicalKind Kind, int Precision = 0, int Scale = 0)
{
    private const int UuidBytes = 16;
    private const int DurationBytes = 12;

    /// <summary>
    /// The logical type that <paramref name="schema"/>, of <paramref name="kind"/>, gives; null when it gives none, an unknown one, or one
    /// that does not fit: these are to be ignored.
    /// </summary>
    public static LogicalType? Read(JsonElement schema, SchemaKind kind, int size = 0)
    {
        if (!schema.TryGetProperty("logicalType", out JsonElement name) || name.ValueKind != JsonValueKind.String)
            return null;
        return (kind, name.GetString()) switch
        {
            (SchemaKind.Int, "date") => new LogicalType(LogicalKind.Date),
            (SchemaKind.Int, "time-millis") => new LogicalType(LogicalKind.TimeMillis),
            (SchemaKind.Long, "time-micros") => new LogicalType(LogicalKind.TimeMicros),
            (SchemaKind.Long, "timestamp-millis") => new LogicalType(LogicalKind.TimestampMillis),
            (SchemaKind.Long, "timestamp-micros") => new LogicalType(LogicalKind.TimestampMicros),
            (SchemaKind.Long, "timestamp-nanos") => new LogicalType(LogicalKind.TimestampNanos),
            (SchemaKind.Long, "local-timestamp-millis") => new LogicalType(LogicalKind.LocalTimestampMillis),
            (SchemaKind.Long, "local-timestamp-micros") => new LogicalType(LogicalKind.LocalTimestampMicros),
            (SchemaKind.Long, "local-timestamp-nanos") => new LogicalType(LogicalKind.LocalTimestampNanos),
            (SchemaKind.String, "uuid") => new LogicalType(LogicalKind.Uuid),
            (SchemaKind.Fixed, "uuid") when size == UuidBytes => new LogicalType(LogicalKind.Uuid),
            (SchemaKind.Fixed, "duration") when size == DurationBytes => new LogicalType(LogicalKind.Duration),
            (SchemaKind.Bytes, "decimal") => ReadDecimal(schema, int.MaxValue),
            (SchemaKind.Fixed, "decimal") => ReadDecimal(schema, Digits(size)),
            _ => null,
        };
    }

    /// <summary>
    /// Why values of <paramref name="writer"/> are not the same values as <paramref name="reader"/>; null when they are, or can be
    /// converted without loss.
    /// </summary>
    /// <remarks>
    /// A type without logical type takes and gives the plain value: that is what the specification has for logical types that a reader does
    /// not know.
    /// </remarks>
    public static string? Conflict(AvroSchema writer, AvroSchema reader)
    {
        // A number in binary is not text, though bytes are read as a string.
        if ((writer.Logical is { Kind: LogicalKind.Decimal } && reader.Kind == SchemaKind.String)
            || (reader.Logical is { Kind: LogicalKind.Decimal } && writer.Kind == SchemaKind.String))
            return $"{writer} is not text that could be read as {reader}";
        if (writer.Logical is not { } from || reader.Logical is not { } to || from == to)
            return null;
        if (from.Kind == LogicalKind.Decimal && to.Kind == LogicalKind.Decimal)
        {
            return from.Scale > to.Scale ? $"{writer} has more digits behind the point than {reader}"
                : from.Precision - from.Scale > to.Precision - to.Scale ? $"{writer} has more digits before the point than {reader}"
                : null;
        }

        (string family, int unit) = UnitOf(from.Kind);
        (string otherFamily, int otherUnit) = UnitOf(to.Kind);
        return family.Length == 0 || family != otherFamily ? $"{writer} means something else than {reader}"
            : unit > otherUnit ? $"{writer} is finer than {reader}"
            : null;
    }

    /// <summary>Whether both types say what the value means, in different units.</summary>
    public static bool IsConverted(AvroSchema writer, AvroSchema reader) =>
        writer.Logical is { } from && reader.Logical is { } to && (from.Kind != to.Kind || from.Scale != to.Scale);

    public override string ToString() => Kind switch
    {
        LogicalKind.Date => "date",
        LogicalKind.TimeMillis => "time-millis",
        LogicalKind.TimeMicros => "time-micros",
        LogicalKind.TimestampMillis => "timestamp-millis",
        LogicalKind.TimestampMicros => "timestamp-micros",
        LogicalKind.TimestampNanos => "timestamp-nanos",
        LogicalKind.LocalTimestampMillis => "local-timestamp-millis",
        LogicalKind.LocalTimestampMicros => "local-timestamp-micros",
        LogicalKind.LocalTimestampNanos => "local-timestamp-nanos",
        LogicalKind.Uuid => "uuid",
        LogicalKind.Duration => "duration",
        _ => $"decimal of {Precision} digits, scale {Scale}",
    };

    // What times of one kind count in, the finer the higher.
    private static (string Family, int Unit) UnitOf(LogicalKind kind) => kind switch
    {
        LogicalKind.TimeMillis => ("time", 3),
        LogicalKind.TimeMicros => ("time", 6),
        LogicalKind.TimestampMillis => ("timestamp", 3),
        LogicalKind.TimestampMicros => ("timestamp", 6),
        LogicalKind.TimestampNanos => ("timestamp", 9),
        LogicalKind.LocalTimestampMillis => ("local", 3),
        LogicalKind.LocalTimestampMicros => ("local", 6),
        LogicalKind.LocalTimestampNanos => ("local", 9),
        _ => ("", 0),
    };

    private static LogicalType? ReadDecimal(JsonElement schema, int most)
    {
        int scale = 0;
        if (!schema.TryGetProperty("precision", out JsonElement digits)
            || !TryRead(digits, out int precision)
            || precision < 1
            || precision > most)
            return null;
        if (schema.TryGetProperty("scale", out JsonElement behind) && !TryRead(behind, out scale))
            return null;
        return scale >= 0 && scale <= precision ? new LogicalType(LogicalKind.Decimal, precision, scale) : null;
    }

    private static bool TryRead(JsonElement number, out int value)
    {
        value = 0;
        return number.ValueKind == JsonValueKind.Number && number.TryGetInt32(out value);
    }

    // How many decimal digits any number of so many bytes, two's complement, has room for.
    private static int Digits(int bytes) => bytes <= 0 ? 0 : (int)Math.Min(Math.Floor((8.0 * bytes - 1) * Math.Log10(2)), int.MaxValue);
}
