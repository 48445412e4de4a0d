using System;
using System.Globalization;
using System.Linq;
using System.Numerics;
using Microsoft.CodeAnalysis.CSharp;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>The scalars: primitive types, fixed, and their logical types (Avro specification 1.12, "Logical Types").</summary>
internal static class Scalars
{
    private const string Avro = "global::KafkaEventSourcing.Avro.";
    private const string Time = Avro + "AvroTime.";
    private const string Apache = Avro + "ApacheValues.";
    private const string Instant = "global::System.DateTimeOffset";
    private const string Clock = "global::System.DateTime";
    private const string TimeOfDay = "global::System.TimeOnly";

    // Year 1 to 9999, which are the times that C# has.
    private const long FirstDay = -719_162;
    private const long LastDay = 2_932_896;
    private const long MillisPerDay = 86_400_000;
    private const long MicrosPerDay = 86_400_000_000;
    private const int NanosPerTick = 100;
    private const int UuidBytes = 16;
    private const int DurationBytes = 12;
    private const int MostPlainDigits = 28;

    /// <summary>How many digits a decimal may have; AvroDecimal takes no more.</summary>
    public const int MostDigits = 10_000;

    /// <summary>A primitive type by its name; null when that is none.</summary>
    public static Scalar? Primitive(string name) => name switch
    {
        "boolean" => new Scalar("boolean", "bool", "reader.ReadBoolean()", (value, _) => $"writer.WriteBoolean({value})")
        {
            Fits = value => value.Kind == JsonKind.Boolean,
        },
        "int" => new Scalar("int", "int", "reader.ReadInt()", (value, _) => $"writer.WriteInt({value})")
        {
            Fits = value => IsWhole(value, int.MinValue, int.MaxValue),
        },
        "long" => new Scalar("long", "long", "reader.ReadLong()", (value, _) => $"writer.WriteLong({value})")
        {
            Fits = value => IsWhole(value, long.MinValue, long.MaxValue),
            Default = value => value.Raw + "L",
        },
        "float" => new Scalar("float", "float", "reader.ReadFloat()", (value, _) => $"writer.WriteFloat({value})")
        {
            Fits = value => IsNumber(value, float.MaxValue),
            Default = value => value.Raw + "f",
        },
        "double" => new Scalar("double", "double", "reader.ReadDouble()", (value, _) => $"writer.WriteDouble({value})")
        {
            Fits = value => IsNumber(value, double.MaxValue),
            Default = value => value.Raw + "d",
        },
        "string" => new Scalar("string", "string", "reader.ReadString()", (value, place) => $"writer.WriteString({value}, {place})")
        {
            Fits = value => value.Kind == JsonKind.Text && IsUnicode(value.Raw),
            Default = value => SymbolDisplay.FormatLiteral(value.Raw, quote: true),
        },
        "bytes" => new Scalar("bytes", "byte[]", "reader.ReadBytes()", (value, place) => $"writer.WriteBytes({value}, {place})")
        {
            Fits = IsBytes,
            Default = BytesLiteral,
        },
        _ => null,
    };

    /// <summary>
    /// The logical type that <paramref name="node"/> gives the primitive <paramref name="name"/>; null when it gives none that fits.
    /// </summary>
    /// <exception cref="SchemaException">It is one that has no type in C#.</exception>
    public static Scalar? Logical(JsonNode node, string name) => (name, node.TextOf("logicalType")) switch
    {
        ("int", "date") => AsClock(Units("int", "global::System.DateOnly", "FromDays", "ToDays", null, FirstDay, LastDay),
            value => $"(object){value}.ToDateTime(global::System.TimeOnly.MinValue, global::System.DateTimeKind.Utc)",
            value => $"global::System.DateOnly.FromDateTime(({Clock}){value})"),
        ("int", "time-millis") => AsSpan(Units("int", TimeOfDay, "FromMillisOfDay", "ToMillisOfDay", "WholeMillis", 0, MillisPerDay - 1)),
        ("long", "time-micros") => AsSpan(Units("long", TimeOfDay, "FromMicrosOfDay", "ToMicrosOfDay", "WholeMicros", 0, MicrosPerDay - 1)),
        ("long", "timestamp-millis") => AsMillis(Units("long", Instant, "FromMillis", "ToMillis", "WholeMillis", FirstDay * MillisPerDay,
            (LastDay + 1) * MillisPerDay - 1)),
        ("long", "timestamp-micros") => AsInstant(Units("long", Instant, "FromMicros", "ToMicros", "WholeMicros", FirstDay * MicrosPerDay,
            (LastDay + 1) * MicrosPerDay - 1)),
        ("long", "timestamp-nanos") => Nanos(Instant, "FromNanos", "ToNanos", "Utc"),
        ("long", "local-timestamp-millis") => AsPlain(Units("long", Clock, "FromLocalMillis", "ToLocalMillis", "WholeLocalMillis",
            FirstDay * MillisPerDay, (LastDay + 1) * MillisPerDay - 1), "FromLocalMillis", "ToLocalMillis", "long"),
        ("long", "local-timestamp-micros") => AsPlain(Units("long", Clock, "FromLocalMicros", "ToLocalMicros", "WholeLocalMicros",
            FirstDay * MicrosPerDay, (LastDay + 1) * MicrosPerDay - 1), "FromLocalMicros", "ToLocalMicros", "long"),
        ("long", "local-timestamp-nanos") => Nanos(Clock, "FromLocalNanos", "ToLocalNanos", "Local"),
        ("string", "uuid") => new Scalar("string", "global::System.Guid", "reader.ReadUuid()", (value, _) => $"writer.WriteUuid({value})")
        {
            Fits = value => value.Kind == JsonKind.Text && IsUuid(value.Raw),
            Default = value => $"new global::System.Guid(\"{value.Raw}\")",
        },
        ("bytes", "decimal") => Decimal(node, int.MaxValue, "bytes", size: null),
        _ => null,
    };

    /// <summary>A fixed, with its logical type if it has one that fits.</summary>
    /// <exception cref="SchemaException">Its logical type has no type in C#.</exception>
    public static Scalar Fixed(JsonNode node, string fullName, int size) => (node.TextOf("logicalType"), size) switch
    {
        ("uuid", UuidBytes) => new Scalar(fullName, "global::System.Guid", "reader.ReadFixedUuid()",
            (value, _) => $"writer.WriteFixedUuid({value})")
        {
            Fits = value => IsBytes(value) && value.Raw.Length == UuidBytes,
            Default = value => $"new global::System.Guid({BytesLiteral(value)}, bigEndian: true)",
            Boxed = (value, _) => $"{Apache}FromBytes({value}.ToByteArray(bigEndian: true), \"{fullName}\")",
            IsBoxed = value => $"{Apache}IsFixed({value}, \"{fullName}\")",
            Unboxed = value => $"new global::System.Guid({Apache}ToBytes({value}), bigEndian: true)",
        },
        ("duration", DurationBytes) => AsFixed(fullName, new Scalar(fullName, Avro + "AvroDuration", "reader.ReadDuration()",
            (value, _) => $"writer.WriteDuration({value})")
        {
            Fits = value => IsBytes(value) && value.Raw.Length == DurationBytes,
            Default = value =>
                $"new {Avro}AvroDuration({UnsignedAt(value.Raw, 0)}, {UnsignedAt(value.Raw, 4)}, {UnsignedAt(value.Raw, 8)})",
        }),
        ("decimal", _) when Decimal(node, Digits(size), fullName, size) is { } number => AsFixed(fullName, number),
        _ => new Scalar(fullName, "byte[]", $"reader.ReadFixedBytes({size})",
            (value, place) => $"writer.WriteFixedBytes({value}, {size}, {place})")
        {
            Fits = value => IsBytes(value) && value.Raw.Length == size,
            Default = BytesLiteral,
            Boxed = (value, _) => $"{Apache}FromBytes({value}, \"{fullName}\")",
            IsBoxed = value => $"{Apache}IsFixed({value}, \"{fullName}\")",
            Unboxed = value => $"{Apache}ToBytes({value})",
            IsEmpty = size == 0,
        },
    };

    private static Scalar Units(string avro, string csharp, string from, string to, string? whole, long least, long most)
    {
        string suffix = avro == "long" ? "L" : "";
        string method = avro == "long" ? "Long" : "Int";
        Scalar time = Made();
        if (avro == "int")
            time.AsNumber = AsPlain(Made(), from, to, "int");
        return time;

        Scalar Made() =>
            new(avro, csharp, $"{Time}{from}(reader.Read{method}())", (value, _) => $"writer.Write{method}({Time}{to}({value}))")
            {
                Kept = whole is null ? null : value => $"{Time}{whole}({value})",
                Fits = value => IsWhole(value, least, most),
                Default = value => $"{Time}{from}({value.Raw}{suffix})",
            };
    }

    private static Scalar AsClock(Scalar time, Func<string, string> boxed, Func<string, string> unboxed)
    {
        time.Boxed = (value, _) => boxed(value);
        time.Unboxed = unboxed;
        time.IsBoxed = value => $"{value} is {Clock}";
        return time;
    }

    private static Scalar AsMillis(Scalar time) => AsClock(time, value => $"{Apache}FromMillis({value})",
        value => $"{Apache}ToMillis({value})");

    private static Scalar AsInstant(Scalar time) => AsClock(time, value => $"(object){value}.UtcDateTime",
        value => $"new {Instant}((({Clock}){value}).ToUniversalTime())");

    private static Scalar AsSpan(Scalar time)
    {
        time.Boxed = (value, _) => $"(object){value}.ToTimeSpan()";
        time.Unboxed = value => $"{TimeOfDay}.FromTimeSpan((global::System.TimeSpan){value})";
        time.IsBoxed = value => $"{value} is global::System.TimeSpan";
        return time;
    }

    // Years 1677 to 2262; of a default, all digits count.
    private static Scalar Nanos(string csharp, string from, string to, string kept) =>
        new("long", csharp, $"{Time}{from}(reader.ReadLong())", (value, place) => $"writer.WriteLong({Time}{to}({value}, {place}))")
        {
            Kept = value => $"{Time}{kept}({value})",
            Boxed = (value, place) => $"(object){Time}{to}({value}, {place})",
            Unboxed = value => $"{Time}{from}((long){value})",
            IsBoxed = value => $"{value} is long",
            Fits = value => IsWhole(value, long.MinValue, long.MaxValue)
                && long.Parse(value.Raw, CultureInfo.InvariantCulture) % NanosPerTick == 0,
            Default = value => $"{Time}{from}({value.Raw}L)",
        };

    // Apache.Avro has the plain number.
    private static Scalar AsPlain(Scalar time, string from, string to, string number)
    {
        time.Boxed = (value, _) => $"(object){Time}{to}({value})";
        time.Unboxed = value => $"{Time}{from}(({number}){value})";
        time.IsBoxed = value => $"{value} is {number}";
        return time;
    }

    // Apache.Avro has the bytes.
    private static Scalar AsFixed(string fullName, Scalar scalar)
    {
        scalar.Boxed = (value, place) => $"{Apache}FromBytes({Apache}Encode({value}, static (ref {Avro}AvroWriter writer, "
            + $"{scalar.CSharp} given) => {scalar.Write("given", place)}), \"{fullName}\")";
        scalar.IsBoxed = value => $"{Apache}IsFixed({value}, \"{fullName}\")";
        scalar.Unboxed = value => $"{Apache}Decode({value}, static (ref {Avro}AvroReader reader) => {scalar.Read})";
        return scalar;
    }

    private static Scalar? Decimal(JsonNode node, int most, string avroName, int? size)
    {
        if (!TryRead(node["precision"], out int precision) || precision < 1 || precision > most)
            return null;
        int scale = 0;
        if ((node["scale"] is { } given && !TryRead(given, out scale)) || scale < 0 || scale > precision)
            return null;
        if (precision > MostDigits)
            throw new SchemaException("KESAVRO006", node["precision"]!.Position,
                $"A decimal of {precision} digits cannot be generated; {MostDigits} are the most.");
        bool isPlain = precision <= MostPlainDigits;
        string kind = isPlain ? "Decimal" : "LongDecimal";
        string parameters = $"{precision}, {scale}";
        string fixedParameters = $"{size}, {parameters}";
        return new Scalar(avroName, isPlain ? "decimal" : Avro + "AvroDecimal",
            size is null ? $"reader.Read{kind}({parameters})" : $"reader.ReadFixed{kind}({fixedParameters})",
            (value, place) => size is null
                ? $"writer.WriteDecimal({value}, {parameters}, {place})"
                : $"writer.WriteFixedDecimal({value}, {fixedParameters}, {place})")
        {
            Kept = value => $"{Avro}AvroDecimal.WithScale({value}, {scale})",
            Boxed = (value, _) => $"{Apache}FromDecimal({value}, {scale})",
            IsBoxed = value => $"{value} is global::Avro.AvroDecimal",
            Unboxed = value => isPlain ? $"{Apache}ToDecimal({value}).ToDecimal()" : $"{Apache}ToDecimal({value})",
            Fits = value => IsBytes(value)
                && value.Raw.Length > 0
                && (size is null || value.Raw.Length == size)
                && BigInteger.Abs(NumberOf(value.Raw)) < BigInteger.Pow(10, precision),
            Default = value => isPlain
                ? DecimalText(NumberOf(value.Raw), scale) + "m"
                : $"{Avro}AvroDecimal.Parse(\"{DecimalText(NumberOf(value.Raw), scale)}\")",
        };
    }

    private static bool TryRead(JsonNode? node, out int value)
    {
        value = 0;
        return node is { Kind: JsonKind.Number }
            && int.TryParse(node.Raw, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
    }

    // How many decimal digits any number of so many bytes, two's complement, has room for.
    private static int Digits(int bytes) => bytes <= 0 ? 0 : (int)Math.Min(Math.Floor((8.0 * bytes - 1) * Math.Log10(2)), int.MaxValue);

    // Big-endian in Avro, little-endian here.
    private static BigInteger NumberOf(string bytes) => new(bytes.Reverse().Select(c => (byte)c).ToArray());

    private static string DecimalText(BigInteger number, int scale)
    {
        string digits = BigInteger.Abs(number).ToString(CultureInfo.InvariantCulture).PadLeft(scale + 1, '0');
        string point = scale == 0 ? "" : ".";
        return (number.Sign < 0 ? "-" : "") + digits.Substring(0, digits.Length - scale) + point + digits.Substring(digits.Length - scale);
    }

    private static string UnsignedAt(string bytes, int at) =>
        ((uint)(bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24)).ToString(CultureInfo.InvariantCulture) + "u";

    private static string BytesLiteral(JsonNode value) =>
        $"new byte[] {{ {string.Join(", ", value.Raw.Select(c => ((int)c).ToString(CultureInfo.InvariantCulture)))} }}";

    private static bool IsBytes(JsonNode value) => value.Kind == JsonKind.Text && value.Raw.All(c => c <= byte.MaxValue);

    private static bool IsUuid(string text) => text.Length == 36
        && text.Select((c, i) => i is 8 or 13 or 18 or 23
            ? c == '-'
            : c is >= '0' and <= '9' or >= 'a' and <= 'f' or >= 'A' and <= 'F').All(fits => fits);

    private static bool IsWhole(JsonNode value, long least, long most) =>
        value.Kind == JsonKind.Number
            && long.TryParse(value.Raw, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
            && number >= least
            && number <= most;

    private static bool IsNumber(JsonNode value, double most) =>
        value.Kind == JsonKind.Number
            && double.TryParse(value.Raw, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            && number >= -most
            && number <= most;

    /// <summary>Whether the text has a UTF-8: no half characters.</summary>
    public static bool IsUnicode(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
                i++;
            else if (char.IsSurrogate(text[i]))
                return false;
        }

        return true;
    }
}
