using System.Text.Json.Nodes;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Archive.Tests.Files;

/// <summary>Writes a value into Avro.</summary>
internal delegate void WriteAvro(ref AvroWriter writer);

/// <summary>
/// A type of Avro: its schema, values of it with those at the edges, and how a value looks as text. Texts are what is compared: every
/// reader brings its values into them in its own way.
/// </summary>
internal abstract class AnyShape
{
    /// <summary>The schema.</summary>
    public abstract string Avro { get; }

    /// <summary>What SQL makes the text of a value from.</summary>
    public abstract string Sql(string value);

    /// <summary>A value, and the text that it has in all readers.</summary>
    public abstract (WriteAvro Write, JsonNode? Text) Value(Random random, int depth);

    /// <summary>The value of a column of Parquet, as its bits are, as text; those that have several columns are their parts'.</summary>
    public virtual string Show(object physical) => throw new NotSupportedException();
}

/// <summary>A type that is one column.</summary>
internal sealed class AnyScalar(string avro, Func<Random, (WriteAvro, string)> value, Func<string, string> sql, Func<object, string> show)
    : AnyShape
{
    public override string Avro => avro;

    public override string Sql(string value) => sql(value);

    public override (WriteAvro Write, JsonNode? Text) Value(Random random, int depth)
    {
        (WriteAvro write, string text) = value(random);
        return (write, JsonValue.Create(text));
    }

    public override string Show(object physical) => show(physical);
}

/// <summary>A record.</summary>
internal sealed class AnyRecord(string name, IReadOnlyList<(string Name, AnyShape Shape)> fields) : AnyShape
{
    public IReadOnlyList<(string Name, AnyShape Shape)> Fields => fields;

    public override string Avro => $$"""{"type":"record","name":"{{name}}","fields":[{{string.Join(',', fields.Select(Field))}}]}""";

    public override string Sql(string value) => $"CASE WHEN {value} IS NULL THEN NULL ELSE {{"
        + string.Join(", ", fields.Select(f => $"'{f.Name}': {f.Shape.Sql($"{value}.\"{f.Name}\"")}")) + "} END";

    public override (WriteAvro Write, JsonNode? Text) Value(Random random, int depth)
    {
        var text = new JsonObject();
        var parts = new List<WriteAvro>();
        foreach ((string field, AnyShape shape) in fields)
        {
            (WriteAvro write, JsonNode? part) = shape.Value(random, depth + 1);
            parts.Add(write);
            text[field] = part;
        }

        return (All(parts), text);
    }

    private static string Field((string Name, AnyShape Shape) field) => $$"""{"name":"{{field.Name}}","type": {{field.Shape.Avro}} }""";

    public static WriteAvro All(List<WriteAvro> parts) => (ref AvroWriter writer) =>
    {
        foreach (WriteAvro part in parts)
            part(ref writer);
    };
}

/// <summary>A union; a member of it that is null is the type null.</summary>
internal sealed class AnyUnion(IReadOnlyList<(string Name, AnyShape? Shape)> members) : AnyShape
{
    public IReadOnlyList<(string Name, AnyShape? Shape)> Members => members;

    public bool IsOptional => members.Count == 2 && members.Any(m => m.Shape is null);

    public override string Avro => $"[{string.Join(',', members.Select(m => m.Shape?.Avro ?? "\"null\""))}]";

    public override string Sql(string value) => IsOptional
        ? members.First(m => m.Shape is not null).Shape!.Sql(value)
        : $"CASE WHEN {value} IS NULL THEN NULL ELSE {{"
            + string.Join(", ", members.Where(m => m.Shape is not null).Select(m => $"'{m.Name}': {m.Shape!.Sql($"{value}.\"{m.Name}\"")}"))
            + "} END";

    public override (WriteAvro Write, JsonNode? Text) Value(Random random, int depth)
    {
        int branch = random.Next(members.Count);
        WriteAvro index = (ref AvroWriter writer) => writer.WriteInt(branch);
        if (members[branch].Shape is not { } shape)
            return (index, null);
        (WriteAvro write, JsonNode? text) = shape.Value(random, depth + 1);
        WriteAvro both = AnyRecord.All([index, write]);
        if (IsOptional)
            return (both, text);
        var all = new JsonObject();
        for (int i = 0; i < members.Count; i++)
        {
            if (members[i].Shape is not null)
                all[members[i].Name] = i == branch ? text : null;
        }

        return (both, all);
    }
}

/// <summary>An array, or a map as its entries.</summary>
internal sealed class AnyItems(AnyShape item, bool isMap) : AnyShape
{
    public AnyShape Item => item;

    public bool IsMap => isMap;

    public override string Avro => isMap ? $$"""{"type":"map","values":{{item.Avro}}}""" : $$"""{"type":"array","items":{{item.Avro}}}""";

    public override string Sql(string value)
    {
        string e = $"e{value.Length}";
        return isMap
            ? $"list_transform(map_entries({value}), lambda {e}: {{'key': {e}.key, 'value': {item.Sql($"{e}.value")}}})"
            : $"list_transform({value}, lambda {e}: {item.Sql(e)})";
    }

    public override (WriteAvro Write, JsonNode? Text) Value(Random random, int depth)
    {
        var parts = new List<WriteAvro>();
        var all = new JsonArray();
        int blocks = depth > 5 ? 0 : random.Next(3);
        for (int block = 0; block < blocks; block++)
        {
            int count = random.Next(1, 4);
            parts.Add((ref AvroWriter writer) => writer.WriteLong(count));
            for (int i = 0; i < count; i++)
            {
                string key = $"k{all.Count}ü";
                (WriteAvro write, JsonNode? text) = item.Value(random, depth + 1);
                if (isMap)
                    parts.Add((ref AvroWriter writer) => writer.WriteString(key));
                parts.Add(write);
                all.Add(isMap ? new JsonObject { ["key"] = key, ["value"] = text } : text);
            }
        }

        parts.Add((ref AvroWriter writer) => writer.WriteLong(0));
        return (AnyRecord.All(parts), all);
    }
}

/// <summary>A duration: three numbers of 32 bits without a sign.</summary>
internal sealed class AnyDuration(string name) : AnyShape
{
    private static readonly AnyScalar Part = new("\"long\"", _ => throw new NotSupportedException(), v => $"{v}::VARCHAR",
        v => FormattableString.Invariant($"{v}"));

    /// <summary>What it looks like in a file.</summary>
    public AnyRecord Parts { get; } = new("Parts", [("months", Part), ("days", Part), ("milliseconds", Part)]);

    public override string Avro => $$"""{"type":"fixed","name":"{{name}}","size":12,"logicalType":"duration"}""";

    public override string Sql(string value) => Parts.Sql(value);

    public override (WriteAvro Write, JsonNode? Text) Value(Random random, int depth)
    {
        uint[] edges = [0, 1, int.MaxValue, uint.MaxValue];
        var value = new AvroDuration(edges[random.Next(4)], edges[random.Next(4)], edges[random.Next(4)]);
        return ((ref AvroWriter writer) => writer.WriteDuration(value), new JsonObject
        {
            ["months"] = FormattableString.Invariant($"{value.Months}"),
            ["days"] = FormattableString.Invariant($"{value.Days}"),
            ["milliseconds"] = FormattableString.Invariant($"{value.Milliseconds}"),
        });
    }
}
