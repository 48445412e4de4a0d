using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro;

/// <summary>How the values of one writer's schema are read by the types of the code. Immutable.</summary>
public sealed class SchemaReading
{
    internal SchemaReading(string schema, string writerType, string? readAs, bool isOwn, IReadOnlyList<string> differences,
        IReadOnlyList<string> problems) =>
        (Schema, WriterType, ReadAs, IsOwn, Differences, Problems) = (schema, writerType, readAs, isOwn, differences, problems);

    /// <summary>The id or the GUID of the writer's schema, as messages have it; "-" where they have none.</summary>
    public string Schema { get; }

    /// <summary>The full name of the writer's record; of a schema that is not a record, its type; "(unknown)" where the registry does not
    /// have it.</summary>
    public string WriterType { get; }

    /// <summary>The full name of the type that they are read as; null: there is none.</summary>
    public string? ReadAs { get; }

    /// <summary>Whether the bytes are those of the type's own schema.</summary>
    public bool IsOwn { get; }

    /// <summary>
    /// What is done to a value on the way, a line each: fields that take their default, were renamed, are passed over or converted; with
    /// their paths.
    /// </summary>
    public IReadOnlyList<string> Differences { get; }

    /// <summary>Why some or all values cannot be read, each with its path; empty when all can.</summary>
    public IReadOnlyList<string> Problems { get; }

    internal static SchemaReading Of(string schema, AvroSchema writer, RecordSchema? reader)
    {
        string name = (writer as NamedSchema)?.FullName ?? writer.ToString();
        if (reader is null)
            return new SchemaReading(schema, name, null, false, [], [$"{name} is not declared here"]);
        (Resolution resolution, IReadOnlyList<string> problems) = SchemaResolver.Resolve(reader, writer);
        var differences = new List<string>();
        new Description(differences).Add(resolution);
        return new SchemaReading(schema, name, reader.FullName, resolution.IsIdentity && problems.Count == 0, differences, problems);
    }

    /// <summary>What is done to values, record by record; those that are far within others come last.</summary>
    private sealed class Description(List<string> differences)
    {
        private const int MostNested = 100;
        private const int LongestPath = 500;

        private readonly HashSet<RecordResolution> _known = [];
        private readonly Queue<(RecordResolution Record, string Path)> _waiting = [];

        public void Add(Resolution resolution)
        {
            Add(resolution, "", 0);
            while (_waiting.TryDequeue(out (RecordResolution Record, string Path) next))
                AddFields(next.Record, next.Path, 0);
        }

        private void Add(Resolution? resolution, string path, int nested)
        {
            switch (resolution)
            {
                case PrimitiveResolution value when value.Writer.Kind != value.Reader.Kind || value.IsConverted:
                    differences.Add($"{path} is converted from {value.Writer} to {value.Reader}");
                    break;
                case FixedResolution { IsConverted: true } value:
                    differences.Add($"{path} is converted from {value.Writer.Logical} to {value.Reader.Logical}");
                    break;
                case EnumResolution symbols:
                    string[] replaced = [.. symbols.Writer.Symbols.Where((symbol, i) =>
                        symbols.Symbols[i] >= 0 && symbols.Reader.Symbols[symbols.Symbols[i]] != symbol)];
                    if (replaced.Length > 0)
                        differences.Add($"{path}: {string.Join(", ", replaced)} {(replaced.Length == 1 ? "is" : "are")} read as "
                            + $"{symbols.Reader.Default}");
                    break;
                case ArrayResolution array:
                    Add(array.Items, path + "[]", nested + 1);
                    break;
                case MapResolution map:
                    Add(map.Values, path + "{}", nested + 1);
                    break;
                case UnionResolution union:
                    foreach (Resolution branch in union.Branches)
                        Add(branch, path, nested + 1);
                    break;
                case BranchResolution branch:
                    Add(branch.Value, path, nested + 1);
                    break;
                case RecordResolution record when _known.Add(record):
                    if (nested < MostNested)
                        AddFields(record, path, nested);
                    else
                        _waiting.Enqueue((record, path.Length <= LongestPath ? path : "…" + path[^LongestPath..]));
                    break;
            }
        }

        private void AddFields(RecordResolution record, string path, int nested)
        {
            string prefix = path.Length == 0 ? "" : path + ".";
            if (record.Writer.FullName != record.Reader.FullName)
                differences.Add($"{(path.Length == 0 ? "the record" : path)} was called {record.Writer.FullName}");
            foreach (int place in record.Defaults)
            {
                SchemaField field = record.Reader.Fields[place];
                if (field.Default is { } value)
                    differences.Add($"{prefix}{field.Name} takes its default, {value.GetRawText()}");
            }

            foreach (FieldStep step in record.Steps)
            {
                if (step.Field < 0)
                {
                    differences.Add($"{prefix}{step.Written.Name} is passed over");
                    continue;
                }

                string name = record.Reader.Fields[step.Field].Name;
                if (name != step.Written.Name)
                    differences.Add($"{prefix}{name} was called {step.Written.Name}");
                Add(step.Value, prefix + name, nested + 1);
            }
        }
    }
}
