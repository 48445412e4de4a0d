using System.Globalization;
using System.Numerics;
using System.Text;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Archive.Tests.Files;

/// <summary>Makes shapes of every type of Avro, nested in one another. Values are at the edges of their type as often as not.</summary>
internal sealed class AnyShapes(Random random)
{
    private const int MaxNested = 3;

    private int _names;

    /// <summary>A record of so many fields.</summary>
    public AnyRecord Record(int fields, int depth = 0) => new($"R{_names++}",
        [.. Enumerable.Range(0, fields).Select(i => ($"f{i}", depth == 0 && i < Scalars.Count ? Scalar(i) : Any(depth + 1)))]);

    /// <summary>How many types there are that are one column.</summary>
    public int ScalarCount => Scalars.Count;

    private AnyShape Any(int depth) => random.Next(depth > MaxNested ? 5 : 10) switch
    {
        < 5 => Scalar(random.Next(Scalars.Count)),
        5 => new AnyItems(Any(depth + 1), isMap: false),
        6 => new AnyItems(Any(depth + 1), isMap: true),
        7 => Record(random.Next(1, 4), depth + 1),
        8 => new AnyUnion(Shuffled([("", null), ("", NotUnion(depth + 1))])),
        _ => Union(depth + 1),
    };

    private AnyShape NotUnion(int depth)
    {
        AnyShape shape;
        do
            shape = Any(depth);
        while (shape is AnyUnion);
        return shape;
    }

    private AnyUnion Union(int depth)
    {
        AnyRecord record = Record(2, depth);
        var members = new List<(string, AnyShape?)>
        {
            (NameOf(record), record), ("string", Scalar(Text)), ("array", new AnyItems(NotUnion(depth), isMap: false)),
        };
        if (random.Next(2) == 0)
            members.Add(("null", null));
        return new AnyUnion(Shuffled(members));
    }

    private static string NameOf(AnyRecord record) =>
        System.Text.Json.JsonDocument.Parse(record.Avro).RootElement.GetProperty("name").GetString()!;

    private (string, AnyShape?)[] Shuffled(List<(string, AnyShape?)> members) => [.. members.OrderBy(_ => random.Next())];

    private AnyShape Scalar(int index) => Scalars[index](this);

    private const int Text = 0;

    private static List<Func<AnyShapes, AnyShape>> Scalars { get; } =
    [
        _ => new AnyScalar("\"string\"", r => Of(Pick(r, "", "a", "ä𝄞\u2028\0\"\\", "null", $"t{r.Next()}", new string('x', 5000)),
            (string v, ref AvroWriter w) => w.WriteString(v), v => v), v => v, Show),
        _ => new AnyScalar("\"boolean\"",
            r => Of(r.Next(2) == 0, (bool v, ref AvroWriter w) => w.WriteBoolean(v), v => v ? "true" : "false"),
            v => $"{v}::VARCHAR", v => (bool)v ? "true" : "false"),
        _ => new AnyScalar("\"int\"", r => Of(Pick(r, 0, -1, int.MinValue, int.MaxValue, r.Next()),
            (int v, ref AvroWriter w) => w.WriteInt(v), Number), v => $"{v}::VARCHAR", Show),
        _ => new AnyScalar("\"long\"", r => Of(Pick(r, 0, -1, long.MinValue, long.MaxValue, r.NextInt64()),
            (long v, ref AvroWriter w) => w.WriteLong(v), Number), v => $"{v}::VARCHAR", Show),
        _ => new AnyScalar("\"float\"", r => Of(Pick(r, 0f, -0f, float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.MaxValue,
            float.Epsilon, r.NextSingle()), (float v, ref AvroWriter w) => w.WriteFloat(v), v => Float(v)),
            v => $"'float:' || {v}::VARCHAR",
            v => Float((float)v)),
        _ => new AnyScalar("\"double\"", r => Of(Pick(r, 0d, -0d, double.NaN, double.PositiveInfinity, double.NegativeInfinity,
            double.MaxValue, double.Epsilon, r.NextDouble()), (double v, ref AvroWriter w) => w.WriteDouble(v), v => Float(v)),
            v => $"'double:' || {v}::VARCHAR", v => Float((double)v)),
        _ => new AnyScalar("\"bytes\"", r => Of(Pick<byte[]>(r, [], [0], [255, 254], "a"u8.ToArray(), new byte[3000]),
            (byte[] v, ref AvroWriter w) => w.WriteBytes(v.AsSpan()), Convert.ToHexString), v => $"hex({v})", Hex),
        s => new AnyScalar($$"""{"type":"fixed","name":"F{{s._names++}}","size":3}""", r => Of(Pick<byte[]>(r, [0, 0, 0], [255, 0, 1]),
            (byte[] v, ref AvroWriter w) => w.WriteFixed(v), Convert.ToHexString), v => $"hex({v})", Hex),
        s => new AnyScalar($$"""{"type":"enum","name":"E{{s._names++}}","symbols":["A","b","Zz_9"]}""", r => Of(r.Next(3),
            (int v, ref AvroWriter w) => w.WriteInt(v), v => ((string[])["A", "b", "Zz_9"])[v]), v => $"{v}::VARCHAR", Show),
        _ => new AnyScalar("""{"type":"int","logicalType":"date"}""", r => Of(Pick(r, 0, -719_162, 2_932_896, -1, r.Next(20_000)),
            (int v, ref AvroWriter w) => w.WriteInt(v), Number), v => $"datediff('day', DATE '1970-01-01', {v})::VARCHAR", Show),
        _ => new AnyScalar("""{"type":"int","logicalType":"time-millis"}""", r => Of(Pick(r, 0, 86_399_999, r.Next(86_400_000)),
            (int v, ref AvroWriter w) => w.WriteInt(v), Number), v => $"(epoch_us({v}) // 1000)::VARCHAR", Show),
        _ => new AnyScalar("""{"type":"long","logicalType":"time-micros"}""",
            r => Of(Pick<long>(r, 0, 86_399_999_999, r.NextInt64(86_400_000_000)),
            (long v, ref AvroWriter w) => w.WriteLong(v), Number), v => $"epoch_us({v})::VARCHAR", Show),
        _ => Timestamp("timestamp-millis", 1000, v => $"epoch_ms({v})::VARCHAR"),
        _ => Timestamp("timestamp-micros", 1_000_000, v => $"epoch_us({v})::VARCHAR"),
        _ => Timestamp("timestamp-nanos", 1_000_000_000, v => $"epoch_ns({v})::VARCHAR"),
        _ => Timestamp("local-timestamp-millis", 1000, v => $"epoch_ms({v})::VARCHAR"),
        _ => Timestamp("local-timestamp-micros", 1_000_000, v => $"epoch_us({v})::VARCHAR"),
        _ => Timestamp("local-timestamp-nanos", 1_000_000_000, v => $"epoch_ns({v})::VARCHAR"),
        _ => new AnyScalar("""{"type":"string","logicalType":"uuid"}""", r => Of(Uuid(r), (Guid v, ref AvroWriter w) => w.WriteUuid(v),
            v => v.ToString()), v => $"{v}::VARCHAR", v => new Guid((byte[])v, bigEndian: true).ToString()),
        s => new AnyScalar($$"""{"type":"fixed","name":"U{{s._names++}}","size":16,"logicalType":"uuid"}""", r => Of(Uuid(r),
            (Guid v, ref AvroWriter w) => w.WriteFixedUuid(v), v => v.ToString()), v => $"{v}::VARCHAR",
            v => new Guid((byte[])v, bigEndian: true).ToString()),
        s => new AnyDuration($"D{s._names++}"),
        _ => Decimal(9, 2, null), _ => Decimal(38, 0, null), _ => Decimal(28, 28, null), _ => Decimal(38, 10, null),
        _ => Decimal(1, 0, null),
        _ => Decimal(18, 4, null), s => Decimal(20, 3, $"N{s._names++}"), _ => Decimal(50, 5, null),
    ];

    private static AnyScalar Timestamp(string name, long perSecond, Func<string, string> sql)
    {
        bool isNanos = perSecond == 1_000_000_000;
        long first = isNanos ? -9_223_372_036_854_775_000 : -62_135_596_800 * perSecond;
        long last = isNanos ? 9_223_372_036_854_775_000 : 253_402_300_799 * perSecond + perSecond - 1;
        // DuckDB cuts instants to microseconds, which a test of its own has.
        long step = name == "timestamp-nanos" ? 1000 : 1;
        return new AnyScalar($$"""{"type":"long","logicalType":"{{name}}"}""",
            r => Of(Pick(r, 0, -1, 1, first, last, r.NextInt64(first, last)) / step * step,
            (long v, ref AvroWriter w) => w.WriteLong(v), Number), sql, Show);
    }

    private static AnyScalar Decimal(int precision, int scale, string? fixedName)
    {
        const int Size = 16;
        string logical = $"\"logicalType\":\"decimal\",\"precision\":{precision},\"scale\":{scale}";
        string avro = fixedName is null ? $$"""{"type":"bytes",{{logical}}}"""
            : $$"""{"type":"fixed","name":"{{fixedName}}","size":{{Size}},{{logical}}}""";
        BigInteger most = BigInteger.Pow(10, precision) - 1;
        return new AnyScalar(avro, r => Of(Pick(r, BigInteger.Zero, BigInteger.One, BigInteger.MinusOne, most, -most, most / 3),
                (BigInteger v, ref AvroWriter w) =>
                {
                    byte[] bytes = v.ToByteArray(isBigEndian: true);
                    byte sign = v.Sign < 0 ? (byte)255 : (byte)0;
                    if (fixedName is null)
                        w.WriteBytes(bytes.AsSpan());
                    else
                        w.WriteFixed(Enumerable.Repeat(sign, Size - bytes.Length).Concat(bytes).ToArray());
                }, v => Point(v, scale)),
            v => precision == scale ? $"replace({v}::VARCHAR, '.', '0.')" : $"{v}::VARCHAR", // DuckDB leaves out the 0
            v => precision > 38 ? Show(v) : Point(new BigInteger((byte[])v, isBigEndian: true), scale));
    }

    public static string Point(BigInteger unscaled, int scale)
    {
        string digits = BigInteger.Abs(unscaled).ToString(CultureInfo.InvariantCulture).PadLeft(scale + 1, '0');
        return (unscaled.Sign < 0 ? "-" : "") + (scale == 0 ? digits : $"{digits[..^scale]}.{digits[^scale..]}");
    }

    private static Guid Uuid(Random random)
    {
        byte[] bytes = new byte[16];
        random.NextBytes(bytes);
        return Pick(random, Guid.Empty, Guid.AllBitsSet, new Guid(bytes));
    }

    private delegate void WriteOne<in T>(T value, ref AvroWriter writer);

    private static (WriteAvro, string) Of<T>(T value, WriteOne<T> write, Func<T, string> show) =>
        ((ref AvroWriter writer) => write(value, ref writer), show(value));

    private static T Pick<T>(Random random, params T[] values) => values[random.Next(values.Length)];

    private static string Number<T>(T value)
        where T : IFormattable => value.ToString(null, CultureInfo.InvariantCulture);

    private static string Show(object value) => value is byte[] bytes ? Encoding.UTF8.GetString(bytes)
        : Convert.ToString(value, CultureInfo.InvariantCulture)!;

    private static string Hex(object value) => Convert.ToHexString((byte[])value);

    // All bits, but those of what is not a number.
    public static string Float(double value) => double.IsNaN(value) ? "nan" : double.IsInfinity(value) ? value > 0 ? "inf" : "-inf"
        : $"{(double.IsNegative(value) ? "-" : "")}{BitConverter.DoubleToInt64Bits(Math.Abs(value)):x}";
}
