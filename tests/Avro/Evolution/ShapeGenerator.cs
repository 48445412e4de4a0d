using static KafkaEventSourcing.Avro.Tests.Evolution.Shape;

namespace KafkaEventSourcing.Avro.Tests.Evolution;

/// <summary>Makes schemas that the generator takes, and schemas that may have been there before them.</summary>
internal sealed class ShapeGenerator(Random random, string space)
{
    private static readonly (string Type, Meaning? Logical, string Default, object Initial)[] Plains =
    [
        ("boolean", null, "true", true), ("int", null, "-7", -7), ("long", null, "9007199254740993", 9007199254740993L),
        ("float", null, "0.5", 0.5f), ("double", null, "0.1", 0.1),
        ("string", null, "\"2024-01-01T00:00:00+02:00\"", "2024-01-01T00:00:00+02:00"), ("bytes", null, "\"\\u00ff\"", new byte[] { 255 }),
        ("int", new("date"), "3", new DateOnly(1970, 1, 4)),
        ("long", new("timestamp-millis"), "5", DateTimeOffset.UnixEpoch.AddMilliseconds(5)),
        ("long", new("timestamp-micros"), "6", DateTimeOffset.UnixEpoch.AddMicroseconds(6)),
        ("long", new("timestamp-nanos"), "700", DateTimeOffset.UnixEpoch.AddTicks(7)),
        ("long", new("local-timestamp-millis"), "5", DateTime.UnixEpoch.AddMilliseconds(5)),
        ("long", new("local-timestamp-micros"), "6", DateTime.UnixEpoch.AddMicroseconds(6)),
        ("long", new("local-timestamp-nanos"), "-700", DateTime.UnixEpoch.AddTicks(-7)),
        ("int", new("time-millis"), "8", new TimeOnly(0, 0, 0, 8)), ("long", new("time-micros"), "9", new TimeOnly(90)),
        ("string", new("uuid"), "\"019C0000-0000-7000-8000-00000000000a\"", new Guid("019c0000-0000-7000-8000-00000000000a")),
        ("bytes", new("decimal", 9, 2), "\"\\u00ff\\u0085\"", -1.23m),
        ("bytes", new("decimal", 28, 10), "\"\\u0000\"", 0.0000000000m),
        ("bytes", new("decimal", 34, 6), "\"{\"", new AvroDecimal(123, 6)),
    ];

    private static readonly (int Size, Meaning? Logical, string Default, object Initial)[] Raws =
    [
        (3, null, "\"\\u0000\\u00ffa\"", new byte[] { 0, 255, 97 }), (0, null, "\"\"", Array.Empty<byte>()),
        (16, new("uuid"), "\"0123456789abcdef\"", new Guid("30313233-3435-3637-3839-616263646566")),
        (12, new("duration"), "\"\\u0001\\u0000\\u0000\\u0000\\u0002\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0080\"",
            new AvroDuration(1, 2, 0x80000000)),
        (5, new("decimal", 11, 3), "\"\\u00ff\\u00ff\\u00ff\\u00ff\\u0085\"", -0.123m),
        (16, new("decimal", 38, 0),
            "\"\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000{\"",
            new AvroDecimal(123, 0)),
    ];

    private static readonly string?[] Logicals = [null, null, "timestamp-millis", "timestamp-micros", "timestamp-nanos",
        "local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos", "time-micros", "of-our-own"];

    private int _names;

    public Group Reader() => Record(0);

    /// <summary>A schema that <paramref name="reader"/> may be a later version of.</summary>
    public Group Before(Group reader) => ChangedRecord(reader);

    private Group Record(int depth)
    {
        string name = $"R{_names++}";
        var fields = new List<Field>();
        for (int i = random.Next(1, 6); i > 0; i--)
            fields.Add(NewField(depth));
        if (Chance(0.3))
            fields.Insert(random.Next(fields.Count + 1),
                new Field($"f{_names++}", new Plain("null"), Chance(0.7) ? "null" : null, null, [], IsSelf: true));
        return new Group(space, name, Chance(0.2) ? [$"{space}.Former{name}"] : [], fields);
    }

    private Field NewField(int depth)
    {
        (Shape shape, string? json, object? initial) = Type(depth);
        string name = $"f{_names++}";
        bool hasDefault = json is not null && Chance(0.7);
        return new Field(name, shape, hasDefault ? json : null, hasDefault ? initial : null, Chance(0.4) ? [$"former_{name}"] : []);
    }

    // A type that the generator takes, and a default of it if there is one.
    private (Shape Shape, string? Default, object? Initial) Type(int depth)
    {
        switch (random.Next(depth < 2 ? 12 : 6) - 1)
        {
            case -1:
                (int size, Meaning? meaning, string bytes, object value) = Raws[random.Next(Raws.Length)];
                return (new Raw(space, $"F{_names++}", size, meaning), bytes, value);
            case < 4:
                (string type, Meaning? logical, string json, object initial) = Plains[random.Next(Plains.Length)];
                return (new Plain(type, logical), json, initial);
            case 10:
                return Union(depth);
            case 4:
                Symbols symbols = Enum();
                return (symbols, $"\"{symbols.All[0]}\"", 0);
            case 5:
                return (new Many(Type(depth + 1).Shape), "[]", new List<object?>());
            case 6:
                return (new Keyed(Type(depth + 1).Shape), "{}", new Dictionary<string, object?>());
            case 7:
                return (Record(depth + 1), null, null);
            default:
                Shape inner;
                do
                    inner = Type(depth + 1).Shape;
                while (inner is Either);
                return Chance(0.8)
                    ? (new Either([new Plain("null"), inner]), "null", null)
                    : (new Either([inner, new Plain("null")]), null, null);
        }
    }

    private (Shape Shape, string? Default, object? Initial) Union(int depth)
    {
        var branches = new List<(Shape Shape, string? Default, object? Initial)>();
        for (int i = random.Next(1, 5); i > 0; i--)
        {
            (Shape Shape, string? Default, object? Initial) branch = Type(depth + 1);
            if (branch.Shape is not Either && branches.All(b => KeyOf(b.Shape) != KeyOf(branch.Shape)))
                branches.Add(branch);
        }

        if (Chance(0.4) || branches.Count == 0)
            branches.Insert(random.Next(branches.Count + 1), (new Plain("null"), "null", null));
        if (branches.All(b => b.Shape is Plain { Type: "null" }))
            branches.Add((new Plain("string"), null, null));
        var union = new Either([.. branches.Select(b => b.Shape)]);
        return (union, branches[0].Default,
            branches[0].Initial is { } first && union.IsGeneral ? new Oracle.Chosen(0, first) : branches[0].Initial);
    }

    private Symbols Enum()
    {
        string name = $"E{_names++}";
        string[] all = [.. Enumerable.Range(0, random.Next(1, 5)).Select(i => $"S{i}")];
        return new Symbols(space, name, Chance(0.2) ? [$"{space}.Former{name}"] : [], all,
            Chance(0.5) ? all[random.Next(all.Length)] : null);
    }

    private Shape Changed(Shape shape) => shape switch
    {
        _ when Chance(0.02) => Any(),
        Plain plain => ChangedPlain(plain),
        Many many => new Many(Changed(many.Items)),
        Keyed keyed => new Keyed(Changed(keyed.Values)),
        Either either => ChangedUnion(either),
        Symbols symbols => ChangedEnum(symbols),
        Group group => ChangedRecord(group),
        Raw raw when Chance(0.3) => raw with { Logical = Chance(0.5) ? null : Decimal(Digits(raw.Size)) },
        _ => shape,
    };

    private Meaning? Decimal(int most)
    {
        if (most == 0)
            return null;
        int precision = random.Next(1, most + 1);
        return new Meaning("decimal", precision, random.Next(Math.Min(precision, 12) + 1));
    }

    private static int Digits(int size) => size == 0 ? 0 : (int)Math.Floor((8.0 * size - 1) * Math.Log10(2));

    private Shape ChangedPlain(Plain plain)
    {
        if (Chance(0.7))
            return plain;
        string[] narrower = plain.Type switch
        {
            "long" => ["int", "long"],
            "float" => ["int", "long"],
            "double" => ["int", "long", "float"],
            "string" => ["bytes", "string"],
            "bytes" => ["string", "bytes"],
            _ => [plain.Type],
        };
        string type = narrower[random.Next(narrower.Length)];
        Meaning? logical = type switch
        {
            "long" => Logicals[random.Next(Logicals.Length)] is { } name ? new Meaning(name) : null,
            "int" when Chance(0.5) => new Meaning(Chance(0.5) ? "date" : "time-millis"),
            "string" when Chance(0.4) => new Meaning("uuid"),
            "bytes" when Chance(0.6) => Decimal(36),
            _ => null,
        };
        Shape changed = new Plain(type, logical);
        return Chance(0.15) ? new Either([changed]) : changed;
    }

    private Shape ChangedUnion(Either either)
    {
        Shape[] branches = [.. either.Branches.Select(Changed)];
        if (branches.Any(b => b is Either) || branches.DistinctBy(KeyOf).Count() < branches.Length)
            return either;
        if (Chance(0.15))
            return branches.First(b => b is not Plain { Type: "null" });
        if (Chance(0.15))
            Array.Reverse(branches);
        if (Chance(0.05) && !branches.Any(b => b is Plain { Type: "boolean" }))
            branches = [.. branches, new Plain("boolean")];
        return new Either(branches);
    }

    // Of which a union has one only.
    private static string KeyOf(Shape branch) => branch switch
    {
        Plain plain => plain.Type,
        Named named => named.FullName,
        _ => branch.GetType().Name,
    };

    private Symbols ChangedEnum(Symbols symbols)
    {
        List<string> all = [.. symbols.All];
        if (Chance(0.3))
            all.Insert(random.Next(all.Count + 1), $"Old{all.Count}");
        if (Chance(0.2) && all.Count > 1)
            all.RemoveAt(random.Next(all.Count));
        if (Chance(0.2))
            all.Reverse();
        (string where, string name) = ChangedName(symbols);
        return new Symbols(where, name, [], all, null);
    }

    private Group ChangedRecord(Group group)
    {
        var fields = new List<Field>();
        foreach (Field field in group.Fields)
        {
            // What has a default may have come later; what has none seldom has.
            if (Chance(field.Default is not null ? 0.2 : 0.02))
                continue;
            string name = field.Aliases.Count > 0 && Chance(0.5) ? field.Aliases[0] : Chance(0.01) ? $"f{_names++}" : field.Name;
            fields.Add(new Field(name, field.IsSelf ? field.Shape : Changed(field.Shape), null, null, [], field.IsSelf));
        }

        for (int i = random.Next(3); i > 0; i--)
            fields.Insert(random.Next(fields.Count + 1), new Field($"gone{_names++}", Any(), null, null, []));
        if (Chance(0.2))
            fields.Reverse();
        (string where, string called) = ChangedName(group);
        return new Group(where, called, [], fields);
    }

    private (string Space, string Name) ChangedName(Named named) =>
        (Chance(0.2) ? $"{space}.elsewhere" : named.Space, named.Aliases.Count > 0 && Chance(0.5)
            ? named.Aliases[0][(named.Aliases[0].LastIndexOf('.') + 1)..]
            : Chance(0.01)
            ? $"Other{_names++}"
            : named.Name);

    // Any type at all, as a field that is skipped may be of.
    private Shape Any() => random.Next(8) switch
    {
        0 => new Raw(space, $"F{_names++}", random.Next(4)),
        1 => new Either([new Plain("null"), new Plain("string"), new Many(new Plain("long"))]),
        2 => new Many(new Plain("null")),
        3 => new Keyed(new Raw(space, $"F{_names++}", 2)),
        4 => Record(2),
        5 => Enum(),
        _ => new Plain(Plains[random.Next(Plains.Length)].Type),
    };

    private bool Chance(double probability) => random.NextDouble() < probability;
}
