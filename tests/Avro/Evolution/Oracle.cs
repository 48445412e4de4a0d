using System.Numerics;
using System.Text;
using static KafkaEventSourcing.Avro.Tests.Evolution.Shape;

namespace KafkaEventSourcing.Avro.Tests.Evolution;

/// <summary>
/// What a reader must make of a value, by the words of the specification and of docs/schema-evolution.md. Values: null, bool, int, long,
/// float, double, string and byte[] as they are; the index of a symbol; lists; dictionaries; a record's values in their order; a writer's
/// union as branch and value, and so is a reader's that is more than a type and null. A reader's logical types are what the documentation
/// says of them.
/// </summary>
internal static class Oracle
{
    /// <summary>
    /// Whether every value can be read, but for those that no value of the reader's type is: text that is not UTF-8, times out of range.
    /// </summary>
    public static bool IsCompatible(Shape writer, Shape reader) => IsCompatible(writer, reader, []);

    /// <summary>The value that the reader has; null when it must be refused.</summary>
    public static Answer Read(Shape writer, Shape reader, object? value)
    {
        try
        {
            return new Answer(Value(writer, reader, value));
        }
        catch (RefusedException)
        {
            return new Answer(null, IsRefused: true);
        }
    }

    public static Shape ShapeOf(Group group, Field field) => field.IsSelf ? new Either([new Plain("null"), group]) : field.Shape;

    private static bool IsCompatible(Shape writer, Shape reader, HashSet<(string, string)> assumed) => (writer, reader) switch
    {
        (Either w, _) => w.Branches.All(branch => IsCompatible(branch, reader, assumed)),
        (_, Either r) => Branch(writer, r) is >= 0 and int i && IsCompatible(writer, r.Branches[i], assumed),
        _ when !Fits(writer, reader) => false,
        (Many w, Many r) => IsCompatible(w.Items, r.Items, assumed),
        (Keyed w, Keyed r) => IsCompatible(w.Values, r.Values, assumed),
        (Symbols w, Symbols r) => r.Fallback is not null || w.All.All(r.All.Contains),
        (Group w, Group r) => !assumed.Add((w.FullName, r.FullName))
            || r.Fields.All(field =>
                Source(w, r, field) is { } source
                    ? IsCompatible(ShapeOf(w, source), ShapeOf(r, field), assumed)
                    : field.Default is not null),
        _ => true,
    };

    private static object? Value(Shape writer, Shape reader, object? value)
    {
        if (writer is Either union)
        {
            (int branch, object? inner) = ((int, object?))value!;
            return Value(union.Branches[branch], reader, inner);
        }

        if (reader is Either either)
        {
            int branch = Branch(writer, either);
            object? held = branch >= 0 ? Value(writer, either.Branches[branch], value) : throw new RefusedException();
            return either.IsGeneral && held is not null ? new Chosen(branch, held) : held;
        }

        if (!Fits(writer, reader))
            throw new RefusedException();
        return (writer, reader) switch
        {
            (Many w, Many r) => ((List<object?>)value!).Select(item => Value(w.Items, r.Items, item)).ToList(),
            (Keyed w, Keyed r) => ((Dictionary<string, object?>)value!).ToDictionary(p => p.Key, p => Value(w.Values, r.Values, p.Value)),
            (Symbols w, Symbols r) => Symbol(w.All[(int)value!], r),
            (Group w, Group r) => r.Fields.Select(field => Source(w, r, field) is { } source
                ? Value(ShapeOf(w, source), ShapeOf(r, field), ((object?[])value!)[w.Fields.ToList().IndexOf(source)])
                : field.Default is not null ? field.Initial : throw new RefusedException()).ToArray(),
            (Plain w, Plain r) => Number(w, r, value),
            (Raw w, Raw r) => Meant((byte[])value!, w.Logical, r.Logical),
            _ => value,
        };
    }

    private static object? Number(Plain writer, Plain reader, object? value)
    {
        string? meaning = reader.Logical?.Name;
        string? unit = writer.Logical?.Name is "of-our-own" or null ? meaning : writer.Logical.Name;
        if (meaning == "date")
            return Days(Convert.ToInt64(value));
        if (meaning is "time-millis" or "time-micros")
            return TimeOfDay(Convert.ToInt64(value), TicksOf(unit!));
        if (meaning is "timestamp-millis" or "timestamp-micros" or "timestamp-nanos")
            return Instant(Convert.ToInt64(value), unit!, meaning);
        if (meaning is "local-timestamp-millis" or "local-timestamp-micros" or "local-timestamp-nanos")
            return Instant(Convert.ToInt64(value), unit!, meaning).DateTime;
        if (meaning == "uuid")
            return Guid.TryParseExact(value as string ?? Latin((byte[])value!), "D", out Guid id) ? id : throw new RefusedException();
        if (meaning == "decimal")
            return Decimal((byte[])value!, writer.Logical, reader.Logical!);

        return (reader.Type, value) switch
        {
            ("long", int number) => (long)number,
            ("float", int number) => (float)number,
            ("float", long number) => (float)number,
            ("double", int number) => (double)number,
            ("double", long number) => (double)number,
            ("double", float number) => (double)number,
            ("bytes", string text) => Encoding.UTF8.GetBytes(text),
            ("string", byte[] bytes) =>
                System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : throw new RefusedException(),
            _ => value,
        };
    }

    private static DateOnly Days(long days) => days is >= -719_162 and <= 2_932_896
        ? new DateOnly(1970, 1, 1).AddDays((int)days)
        : throw new RefusedException();

    private static object Meant(byte[] bytes, Meaning? from, Meaning? to) => to?.Name switch
    {
        "uuid" => new Guid(bytes, bigEndian: true),
        "duration" => new AvroDuration(BitConverter.ToUInt32(bytes, 0), BitConverter.ToUInt32(bytes, 4), BitConverter.ToUInt32(bytes, 8)),
        "decimal" => Decimal(bytes, from, to),
        _ => bytes,
    };

    private static object Decimal(byte[] bytes, Meaning? from, Meaning to)
    {
        Meaning written = from?.Name == "decimal" ? from : to;
        var unscaled = new BigInteger(bytes, isBigEndian: true);
        if (bytes.Length == 0 || BigInteger.Abs(unscaled) >= BigInteger.Pow(10, written.Precision))
            throw new RefusedException();
        var number = new AvroDecimal(unscaled * BigInteger.Pow(10, to.Scale - written.Scale), to.Scale);
        return to.Precision <= 28 ? (object)number.ToDecimal() : number;
    }

    private static string Latin(byte[] bytes) => Encoding.Latin1.GetString(bytes);

    // In ticks of 100 nanoseconds; of nanoseconds, one has the hundredth part.
    private static decimal TicksOf(string unit) =>
        unit.EndsWith("millis", StringComparison.Ordinal) ? 10_000 : unit.EndsWith("micros", StringComparison.Ordinal) ? 10 : 0.01m;

    private static TimeOnly TimeOfDay(long units, decimal ticksPerUnit) =>
        units * ticksPerUnit is >= 0 and < TimeSpan.TicksPerDay and decimal ticks
            ? new TimeOnly((long)ticks)
            : throw new RefusedException();

    private static DateTimeOffset Instant(long units, string unit, string meaning)
    {
        decimal ticks = decimal.Floor(units * TicksOf(unit));
        bool isNanos = meaning.EndsWith("nanos", StringComparison.Ordinal);
        decimal first = isNanos ? long.MinValue / 100 : -621_355_968_000_000_000m;
        decimal last = isNanos ? long.MaxValue / 100 : 2_534_023_007_999_999_999m;
        return ticks >= first && ticks <= last ? DateTimeOffset.UnixEpoch.AddTicks((long)ticks) : throw new RefusedException();
    }

    private static int Symbol(string written, Symbols reader)
    {
        string? read = reader.All.Contains(written) ? written : reader.Fallback;
        return read is null ? throw new RefusedException() : reader.All.ToList().IndexOf(read);
    }

    // The writer's field that a reader's field takes: the one of its name, or of its alias.
    private static Field? Source(Group writer, Group reader, Field field) =>
        writer.Fields.FirstOrDefault(f => f.Name == field.Name)
        ?? writer.Fields.FirstOrDefault(f => field.Aliases.Contains(f.Name) && reader.Fields.All(other => other.Name != f.Name));

    private static int Branch(Shape writer, Either reader)
    {
        int promoted = -1;
        for (int i = 0; i < reader.Branches.Count; i++)
        {
            Shape branch = reader.Branches[i];
            if (branch.GetType() == writer.GetType()
                && (branch is not Plain plain || plain.Type == ((Plain)writer).Type)
                && IsNamed(writer, branch))
                return i;
            if (promoted < 0 && branch is Plain to && writer is Plain from && Promotes(from.Type, to.Type))
                promoted = i;
        }

        return promoted;
    }

    private static bool Fits(Shape writer, Shape reader) => (writer, reader) switch
    {
        (Plain { Logical.Name: "decimal" }, Plain { Type: "string" }) => false,
        (Plain { Type: "string" }, Plain { Logical.Name: "decimal" }) => false,
        (Plain from, Plain to) => (from.Type == to.Type || Promotes(from.Type, to.Type)) && MeansTheSame(from.Logical, to.Logical),
        (Raw from, Raw to) => IsNamed(from, to) && from.Size == to.Size && MeansTheSame(from.Logical, to.Logical),
        _ => writer.GetType() == reader.GetType() && IsNamed(writer, reader),
    };

    private static bool IsNamed(Shape writer, Shape reader) =>
        writer is not Named w || reader is not Named r || w.Name == r.Name || r.Aliases.Any(a => a[(a.LastIndexOf('.') + 1)..] == w.Name);

    // Without loss, or not at all.
    private static bool MeansTheSame(Meaning? from, Meaning? to)
    {
        if (from is null || from.Name == "of-our-own" || to is null || from == to)
            return true;
        if (from.Name == "decimal" && to.Name == "decimal")
            return from.Scale <= to.Scale && from.Precision - from.Scale <= to.Precision - to.Scale;
        string[] unit = ["millis", "micros", "nanos"];
        (string kind, int fine) = (from.Name[..(from.Name.LastIndexOf('-') + 1)], Array.FindIndex(unit, from.Name.EndsWith));
        (string otherKind, int otherFine) = (to.Name[..(to.Name.LastIndexOf('-') + 1)], Array.FindIndex(unit, to.Name.EndsWith));
        return fine >= 0 && kind == otherKind && fine <= otherFine;
    }

    private static bool Promotes(string from, string to) => (from, to) is
        ("int", "long" or "float" or "double") or ("long", "float" or "double") or ("float", "double") or ("string", "bytes")
            or ("bytes", "string");

    /// <summary>The branch of a union that the reader has, and its value.</summary>
    internal sealed record Chosen(int Branch, object Value);

    internal readonly record struct Answer(object? Value, bool IsRefused = false);

    private sealed class RefusedException : Exception;
}
