using System.Linq.Expressions;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro;

/// <summary>Code that reads what another schema wrote as one value of C#: primitives and fixed, and their logical types.</summary>
internal static class ScalarCode
{
    /// <summary>The primitive that comes, as a <paramref name="target"/>.</summary>
    public static Expression Primitive(ParameterExpression reader, PrimitiveResolution primitive, Type target)
    {
        if (primitive.Reader.Kind is SchemaKind.String)
            return Read(reader, target == typeof(Guid) ? nameof(AvroReader.ReadUuid) : nameof(AvroReader.ReadString));
        if (primitive.Reader.Kind is SchemaKind.Bytes)
            return target == typeof(byte[])
                ? Read(reader, nameof(AvroReader.ReadBytes))
                : Decimal(reader, primitive.IsConverted ? primitive.Writer : primitive.Reader, primitive.Reader, target, []);
        Expression value = Read(reader, primitive.Writer.Kind switch
        {
            SchemaKind.Boolean => nameof(AvroReader.ReadBoolean),
            SchemaKind.Int => nameof(AvroReader.ReadInt),
            SchemaKind.Long => nameof(AvroReader.ReadLong),
            SchemaKind.Float => nameof(AvroReader.ReadFloat),
            SchemaKind.Double => nameof(AvroReader.ReadDouble),
            _ => throw new InvalidOperationException($"{target} cannot hold {primitive.Reader}."),
        });
        if (primitive.Reader.Logical is not { } meaning || target.IsPrimitive)
            return Converted(value, target);
        LogicalKind unit = primitive.IsConverted ? primitive.Writer.Logical!.Value.Kind : meaning.Kind;
        (string from, Type number) = unit switch
        {
            LogicalKind.Date => (nameof(AvroTime.FromDays), typeof(int)),
            LogicalKind.TimeMillis => (nameof(AvroTime.FromMillisOfDay), typeof(int)),
            LogicalKind.TimeMicros => (nameof(AvroTime.FromMicrosOfDay), typeof(long)),
            LogicalKind.TimestampMillis => (nameof(AvroTime.FromMillis), typeof(long)),
            LogicalKind.TimestampMicros => (nameof(AvroTime.FromMicros), typeof(long)),
            LogicalKind.TimestampNanos => (nameof(AvroTime.FromNanos), typeof(long)),
            LogicalKind.LocalTimestampMillis => (nameof(AvroTime.FromLocalMillis), typeof(long)),
            LogicalKind.LocalTimestampMicros => (nameof(AvroTime.FromLocalMicros), typeof(long)),
            LogicalKind.LocalTimestampNanos => (nameof(AvroTime.FromLocalNanos), typeof(long)),
            _ => throw new InvalidOperationException($"{target} cannot hold {primitive.Reader}."),
        };
        Expression time = Expression.Call(typeof(AvroTime), from, null, Converted(value, number));

        // Finer units of 64 bits have fewer years.
        return unit != meaning.Kind && meaning.Kind is LogicalKind.TimestampNanos or LogicalKind.LocalTimestampNanos
            ? Expression.Call(typeof(AvroTime), nameof(AvroTime.HasNanos), null, time)
            : time;
    }

    /// <summary>The fixed that comes, as a <paramref name="target"/>.</summary>
    public static Expression Fixed(ParameterExpression reader, FixedResolution bytes, Type target)
    {
        if (target == typeof(Guid))
            return Read(reader, nameof(AvroReader.ReadFixedUuid));
        if (target == typeof(AvroDuration))
            return Read(reader, nameof(AvroReader.ReadDuration));
        return target == typeof(byte[])
            ? Read(reader, nameof(AvroReader.ReadFixedBytes), bytes.Reader.Size)
            : Decimal(reader, bytes.IsConverted ? bytes.Writer : bytes.Reader, bytes.Reader, target, [bytes.Reader.Size]);
    }

    // As it was written, with the scale of the type that it becomes.
    private static Expression Decimal(ParameterExpression reader, AvroSchema written, AvroSchema read, Type target, int[] size)
    {
        (int precision, int scale) = (written.Logical!.Value.Precision, written.Logical.Value.Scale);
        bool isLong = target == typeof(AvroDecimal);
        string method = size.Length == 0
            ? isLong ? nameof(AvroReader.ReadLongDecimal) : nameof(AvroReader.ReadDecimal)
            : isLong ? nameof(AvroReader.ReadFixedLongDecimal) : nameof(AvroReader.ReadFixedDecimal);
        Expression number = Read(reader, method, [.. size, precision, scale]);
        return scale == read.Logical!.Value.Scale
            ? number
            : Expression.Call(typeof(AvroDecimal), nameof(AvroDecimal.WithScale), null, number,
                Expression.Constant(read.Logical.Value.Scale));
    }

    private static MethodCallExpression Read(ParameterExpression reader, string method, params int[] arguments) =>
        Expression.Call(reader, typeof(AvroReader).GetMethod(method, [.. arguments.Select(_ => typeof(int))])!,
            arguments.Select(a => Expression.Constant(a)));

    private static Expression Converted(Expression value, Type target) =>
        value.Type == target ? value : Expression.Convert(value, target);
}
