using System.Text;
using static KafkaEventSourcing.Avro.Tests.Evolution.Shape;

namespace KafkaEventSourcing.Avro.Tests.Evolution;

/// <summary>
/// What a reader must make of a value, by the words of the specification and of docs/schema-evolution.md. Values: null, bool, int, long,
/// float, double, string and byte[] as they are; the index of a symbol; lists; dictionaries; a record's values in their order; a writer's
/// union as branch and value. A reader's dates and times are DateOnly and DateTimeOffset.
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
            return Branch(writer, either) is >= 0 and int i ? Value(writer, either.Branches[i], value) : throw new RefusedException();
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
            _ => value,
        };
    }

    private static object? Number(Plain writer, Plain reader, object? value)
    {
        if (reader.Logical == "date")
            return Days(Convert.ToInt64(value));
        if (reader.Logical is "timestamp-millis" or "timestamp-micros")
        {
            string unit = writer.Logical is "timestamp-millis" or "timestamp-micros" ? writer.Logical : reader.Logical;
            return Instant(Convert.ToInt64(value), unit == "timestamp-millis" ? 1_000 : 1);
        }

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

    private static DateTimeOffset Instant(long units, int microsPerUnit)
    {
        Int128 micros = (Int128)units * microsPerUnit;
        return micros >= -62_135_596_800_000_000 && micros <= 253_402_300_799_999_999
            ? DateTimeOffset.UnixEpoch.AddTicks((long)micros * 10)
            : throw new RefusedException();
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

    private static bool Fits(Shape writer, Shape reader) =>
        writer is Plain from && reader is Plain to
            ? (from.Type == to.Type || Promotes(from.Type, to.Type)) && MeansTheSame(from.Logical, to.Logical)
            : writer.GetType() == reader.GetType() && IsNamed(writer, reader) && (writer is not Raw w || w.Size == ((Raw)reader).Size);

    private static bool IsNamed(Shape writer, Shape reader) =>
        writer is not Named w || reader is not Named r || w.Name == r.Name || r.Aliases.Any(a => a[(a.LastIndexOf('.') + 1)..] == w.Name);

    private static bool MeansTheSame(string? from, string? to) =>
        from is null or "of-our-own" || to is null || from == to || (from, to) == ("timestamp-millis", "timestamp-micros");

    private static bool Promotes(string from, string to) => (from, to) is
        ("int", "long" or "float" or "double") or ("long", "float" or "double") or ("float", "double") or ("string", "bytes")
            or ("bytes", "string");

    internal readonly record struct Answer(object? Value, bool IsRefused = false);

    private sealed class RefusedException : Exception;
}
