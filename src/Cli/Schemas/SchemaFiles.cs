using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Cli.Schemas;

/// <summary>Schemas in <c>.avsc</c> files, which may name each other's types.</summary>
internal static class SchemaFiles
{
    /// <summary>The records of a file, or of all <c>.avsc</c> files of a folder and of those in it.</summary>
    /// <exception cref="InvalidInputException">There is none, or one is not a schema; the message names it.</exception>
    public static IReadOnlyList<RecordSchema> Read(string path)
    {
        string[] files = Directory.Exists(path)
            ? [.. Directory.EnumerateFiles(path, "*.avsc", SearchOption.AllDirectories).Order(StringComparer.Ordinal)]
            : File.Exists(path) ? [path]
            : throw new InvalidInputException("schemas", $"There is no file or folder '{path}'.");
        if (files.Length == 0)
            throw new InvalidInputException("schemas", $"The folder '{path}' has no .avsc file.");
        var texts = new List<string>();
        var read = new List<RecordSchema>();
        List<string> left = [.. files];
        // those that name types of others come after these
        while (left.Count > 0)
        {
            var later = new List<string>();
            SchemaParseException? wrong = null;
            foreach (string file in left)
            {
                string text = File.ReadAllText(file);
                try
                {
                    if (After(texts).Read(text) is RecordSchema record)
                        read.Add(record);
                    texts.Add(text);
                }
                catch (SchemaParseException early)
                {
                    wrong = early;
                    later.Add(file);
                }
            }

            if (later.Count == left.Count)
                throw new InvalidInputException("schemas", $"{later[^1]} is not a schema: {wrong!.Message}", wrong);
            left = later;
        }

        return read;
    }

    // A parser that has failed knows types of the schema that it has failed at.
    private static SchemaParser After(IEnumerable<string> texts)
    {
        var parser = new SchemaParser();
        foreach (string text in texts)
            parser.Read(text);
        return parser;
    }
}
