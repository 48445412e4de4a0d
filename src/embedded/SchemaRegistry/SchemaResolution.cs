using Avro;

namespace KafkaEventSourcing.Embedded.SchemaRegistry;

/// <summary>Can a reader's schema read what a writer's schema wrote? The rules of the Avro specification 1.12, "Schema Resolution".</summary>
internal static class SchemaResolution
{
    /// <summary>Why it cannot, each with the path; empty when it can.</summary>
    public static List<string> Problems(Schema reader, Schema writer)
    {
        var problems = new List<string>();
        Check(reader, writer, "", problems, []);
        return problems;
    }

    private static void Check(Schema reader, Schema writer, string path, List<string> problems, HashSet<(string, string)> open)
    {
        if (reader is LogicalSchema logicalReader)
            reader = logicalReader.BaseSchema;
        if (writer is LogicalSchema logicalWriter)
            writer = logicalWriter.BaseSchema;

        if (writer is UnionSchema writerUnion)
        {
            foreach (Schema branch in writerUnion.Schemas)
                Check(reader, branch, path, problems, open);
            return;
        }

        if (reader is UnionSchema readerUnion)
        {
            if (!readerUnion.Schemas.Any(branch => Fits(branch, writer, path, open)))
                problems.Add($"{At(path)}: no branch of the reader's union takes {writer.Tag.ToString().ToLowerInvariant()}");
            return;
        }

        if (reader.Tag != writer.Tag)
        {
            if (!Promotes(writer.Tag, reader.Tag))
                problems.Add($"{At(path)}: {writer.Tag.ToString().ToLowerInvariant()} cannot be read as {reader.Tag.ToString().ToLowerInvariant()}");
            return;
        }

        switch (reader, writer)
        {
            case (ArraySchema r, ArraySchema w):
                Check(r.ItemSchema, w.ItemSchema, path + "/items", problems, open);
                break;
            case (MapSchema r, MapSchema w):
                Check(r.ValueSchema, w.ValueSchema, path + "/values", problems, open);
                break;
            case (FixedSchema r, FixedSchema w):
                CheckName(r, w, path, problems);
                if (r.Size != w.Size)
                    problems.Add($"{At(path)}: the fixed {w.Name} has {w.Size} bytes, the reader's {r.Size}");
                break;
            case (EnumSchema r, EnumSchema w):
                CheckName(r, w, path, problems);
                if (r.Default is null && w.Symbols.Except(r.Symbols).ToArray() is { Length: > 0 } missing)
                    problems.Add($"{At(path)}: the enum {r.Name} lacks {string.Join(", ", missing)} and has no default");
                break;
            case (RecordSchema r, RecordSchema w):
                CheckRecord(r, w, path, problems, open);
                break;
        }
    }

    private static void CheckRecord(RecordSchema reader, RecordSchema writer, string path, List<string> problems, HashSet<(string, string)> open)
    {
        CheckName(reader, writer, path, problems);
        if (!open.Add((reader.Fullname, writer.Fullname)))
            return; // recursive types are being compared already
        foreach (Field field in reader.Fields)
        {
            Field? written = writer.Fields.FirstOrDefault(f => f.Name == field.Name) ?? writer.Fields.FirstOrDefault(f => field.Aliases?.Contains(f.Name) ?? false);
            if (written is not null)
                Check(field.Schema, written.Schema, $"{path}/{field.Name}", problems, open);
            else if (field.DefaultValue is null)
                problems.Add($"{At(path)}: the field {field.Name} is not in the writer's schema and has no default");
        }

        open.Remove((reader.Fullname, writer.Fullname));
    }

    private static bool Fits(Schema reader, Schema writer, string path, HashSet<(string, string)> open)
    {
        var problems = new List<string>();
        Check(reader, writer, path, problems, open);
        return problems.Count == 0;
    }

    // Names are compared without their namespaces, as the specification has it; aliases of the reader count.
    private static void CheckName(NamedSchema reader, NamedSchema writer, string path, List<string> problems)
    {
        if (reader.Name != writer.Name && !(Aliases(reader)?.Any(a => a == writer.Fullname || a.EndsWith("." + writer.Name, StringComparison.Ordinal) || a == writer.Name) ?? false))
            problems.Add($"{At(path)}: the type {writer.Fullname} is not {reader.Fullname}");
    }

    private static IEnumerable<string>? Aliases(NamedSchema schema) =>
        System.Text.Json.Nodes.JsonNode.Parse(schema.ToString()) is System.Text.Json.Nodes.JsonObject json && json["aliases"] is System.Text.Json.Nodes.JsonArray aliases
            ? aliases.Select(a => a!.GetValue<string>())
            : null;

    private static bool Promotes(Schema.Type from, Schema.Type to) => (from, to) switch
    {
        (Schema.Type.Int, Schema.Type.Long or Schema.Type.Float or Schema.Type.Double) => true,
        (Schema.Type.Long, Schema.Type.Float or Schema.Type.Double) => true,
        (Schema.Type.Float, Schema.Type.Double) => true,
        (Schema.Type.String, Schema.Type.Bytes) => true,
        (Schema.Type.Bytes, Schema.Type.String) => true,
        _ => false,
    };

    private static string At(string path) => path.Length == 0 ? "/" : path;
}
