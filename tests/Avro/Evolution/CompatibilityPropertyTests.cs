using System.Collections;
using System.Globalization;
using System.Reflection;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro.Tests.Evolution;

/// <summary>
/// What the registry calls compatible is read with the right value, and what is not is refused: for made-up schemas of now and of before,
/// by types that the generator made. KES_SCHEMA_PAIRS is how many pairs, 2,000 when it is not set; KES_SCHEMA_SEED is where to begin.
/// </summary>
public sealed class CompatibilityPropertyTests(ITestOutputHelper output)
{
    private const int PairsPerReader = 50;
    private const int ReadersPerAssembly = 60;

    [Fact]
    public void Compatible_schemas_are_read_with_the_right_values_and_others_are_refused()
    {
        int pairs = Number("KES_SCHEMA_PAIRS", 2_000);
        int seed = Number("KES_SCHEMA_SEED", 1);
        int compatible = 0, values = 0, refused = 0;
        for (int done = 0; done < pairs; seed++)
        {
            var random = new Random(seed);
            var readers = Enumerable.Range(0, Math.Min(ReadersPerAssembly, (pairs - done + PairsPerReader - 1) / PairsPerReader))
                .Select(i => (Generator: new ShapeGenerator(random, $"P{i}"), Index: i)).Select(g =>
                    (g.Generator, Shape: g.Generator.Reader())).ToArray();
            GeneratedTypes types = GeneratedTypes.Of([.. readers.Select(r => r.Shape.Json)]);
            foreach ((ShapeGenerator generator, Shape.Group reader) in readers)
            {
                AvroRecordType type = types[reader.FullName];
                for (int i = 0; i < PairsPerReader; i++, done++)
                {
                    Shape.Group writer = i == 0 ? reader : generator.Before(reader);
                    string pair = $"seed {seed}\nwriter {writer.Json}\nreader {reader.Json}\n";
                    AvroSchema written = SchemaParser.Parse(writer.Json);
                    IReadOnlyList<string> problems = SchemaResolver.Problems(type.Parsed, written);
                    bool isCompatible = Oracle.IsCompatible(writer, reader);
                    (problems.Count == 0).ShouldBe(isCompatible, pair + string.Join('\n', problems));
                    compatible += isCompatible ? 1 : 0;
                    AvroRead? read = ReaderOf(type, written);
                    int refusedHere = 0;
                    foreach (object? value in ShapeValues.Covering(writer, random))
                    {
                        values++;
                        Oracle.Answer expected = Oracle.Read(writer, reader, value);
                        refusedHere += expected.IsRefused ? 1 : 0;
                        byte[] bytes = ShapeValues.Encode(writer, value, random);
                        Check(read, bytes, reader, expected, pair + Convert.ToHexString(bytes));
                    }

                    refused += refusedHere;
                    (isCompatible || refusedHere > 0).ShouldBeTrue(pair + "no value shows that it is incompatible");
                }
            }
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{pairs} pairs, {compatible} compatible; {values} values, {refused} refused."));
        compatible.ShouldBeInRange(pairs / 5, pairs * 4 / 5);
    }

    // Null: no value of the writer's can be read.
    private static AvroRead? ReaderOf(AvroRecordType type, AvroSchema written)
    {
        try
        {
            return type.ReaderOf(written);
        }
        catch (SchemaMismatchException)
        {
            return null;
        }
    }

    private static void Check(AvroRead? reader, byte[] bytes, Shape shape, Oracle.Answer expected, string what)
    {
        IAvroRecord read;
        try
        {
            read = AvroRecordType.Read(bytes, reader ?? throw new SchemaMismatchException("no value can be read"));
        }
        catch (Exception refusal) when (refusal is AvroDecodeException or SchemaMismatchException)
        {
            expected.IsRefused.ShouldBeTrue($"{what}\nrefused: {refusal.Message}");
            return;
        }

        expected.IsRefused.ShouldBeFalse(what);
        IsSame(expected.Value, read, shape).ShouldBeTrue(
            $"{what}\nread {read}, not as expected: {Difference(expected.Value, read, shape)}");
    }

    private static string Difference(object? expected, object read, Shape shape) => string.Join(", ", ((Shape.Group)shape).Fields
        .Select((field, i) => (field, Expected: ((object?[])expected!)[i], Actual: FieldOf(read, i)))
        .Where(f => !IsSame(f.Expected, f.Actual, Oracle.ShapeOf((Shape.Group)shape, f.field)))
        .Select(f => $"{f.field.Name} is {f.Actual ?? "null"} and not {f.Expected ?? "null"}"));

    private static object? FieldOf(object record, int place) =>
        record.GetType().GetField($"_f{place}", BindingFlags.NonPublic | BindingFlags.Instance)!.GetValue(record);

    private static bool IsSame(object? expected, object? actual, Shape shape) => (expected, actual) switch
    {
        (null, null) => true,
        (null, _) or (_, null) => false,
        _ => shape switch
        {
            Shape.Either { IsGeneral: true } union => IsSameBranch((Oracle.Chosen)expected, actual, union),
            Shape.Either either => IsSame(expected, actual, either.Branches.First(b => b is not Shape.Plain { Type: "null" })),
            Shape.Symbols => (int)expected == Convert.ToInt32(actual, CultureInfo.InvariantCulture),
            Shape.Many many =>
                ((List<object?>)expected).SequenceEqual(((IEnumerable)actual).Cast<object?>(), new By((x, y) => IsSame(x, y, many.Items))),
            Shape.Keyed keyed => (Dictionary<string, object?>)expected is var entries && ((IDictionary)actual).Count == entries.Count
                && entries.All(p => ((IDictionary)actual).Contains(p.Key) && IsSame(p.Value, ((IDictionary)actual)[p.Key], keyed.Values)),
            Shape.Group group => group.Fields.Select((field, i) => IsSame(
                ((object?[])expected)[i],
                FieldOf(actual, i),
                Oracle.ShapeOf(group, field))).All(same => same),
            _ => expected is byte[] bytes ? bytes.AsSpan().SequenceEqual((byte[])actual)
                : expected.Equals(actual) && (expected is not (decimal or AvroDecimal) || expected.ToString() == actual.ToString()),
        },
    };

    private static bool IsSameBranch(Oracle.Chosen expected, object actual, Shape.Either union) =>
        actual.GetType().GetCustomAttribute<AvroBranchAttribute>()!.Index == expected.Branch
            && IsSame(expected.Value, actual.GetType().GetProperty("Value")!.GetValue(actual), union.Branches[expected.Branch]);

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out int number) ? number : otherwise;

    private sealed class By(Func<object?, object?, bool> same) : IEqualityComparer<object?>
    {
        bool IEqualityComparer<object?>.Equals(object? x, object? y) => same(x, y);

        public int GetHashCode(object? value) => 0;
    }
}
