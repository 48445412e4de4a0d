using System.CommandLine;
using System.Globalization;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Schemas;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Schemas;

/// <summary><c>kes schemas diff SUBJECT [FILE]</c>.</summary>
internal static class DiffCommand
{
    public static Command Create()
    {
        var servers = new ClusterOptions();
        var subject = new Argument<string>("subject") { Description = "the subject" };
        var file = new Argument<string?>("file")
        {
            Description = "a schema that shall follow, in an .avsc file, or a folder that has the type; default: the newest version",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var from = new Option<int?>("--from")
        {
            Description = "the version to compare with; default: the newest, or the one before it where there is no file",
            HelpName = "version",
        };
        var command = new Command("diff", "how values of one version are read by another, both ways. Exit code 1: the later one does not "
            + "read all that the earlier one wrote");
        command.Arguments.Add(subject);
        command.Arguments.Add(file);
        command.Options.Add(from);
        servers.AddRegistryTo(command);
        command.SetAction(async (result, _) =>
        {
            using var registry = new CachedSchemaRegistryClient(servers.RegistryOf(result));
            var schemas = new RegisteredSchemas(registry);
            string name = result.GetValue(subject)!;
            RegisteredSchema newest = await RegistrySubjects.Version(registry, name, null).ConfigureAwait(false);
            string? path = result.GetValue(file);
            int before = result.GetValue(from) ?? (path is null ? newest.Version - 1 : newest.Version);
            if (before < 1)
                throw new CommandFailedException($"The subject '{name}' has one version: name a file that it is compared with.");
            RegisteredSchema earlier = await RegistrySubjects.Version(registry, name, before).ConfigureAwait(false);
            RecordSchema writer = RecordOf(await schemas.Find(earlier.Id).ConfigureAwait(false), name);
            RecordSchema reader = path is null ? RecordOf(await schemas.Find(newest.Id).ConfigureAwait(false), name)
                : InFiles(path, writer);
            string earlierName = string.Create(CultureInfo.InvariantCulture, $"version {earlier.Version}");
            string laterName = path ?? string.Create(CultureInfo.InvariantCulture, $"version {newest.Version}");
            bool isReadable = Tell($"{laterName} reads what {earlierName} wrote", reader, writer);
            Tell($"{earlierName} reads what {laterName} writes", writer, reader);
            return isReadable ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    private static bool Tell(string what, RecordSchema reader, RecordSchema writer)
    {
        SchemaReading reading = SchemaReading.Of("", writer, reader);
        Console.WriteLine($"{what}: {(reading.Problems.Count > 0 ? "NO" : reading.IsOwn ? "yes, as it is" : "yes")}");
        foreach (string difference in reading.Differences)
            Console.WriteLine($"  {difference}");
        foreach (string problem in reading.Problems)
            Console.WriteLine($"  cannot be read: {problem}");
        return reading.Problems.Count == 0;
    }

    private static RecordSchema RecordOf(AvroSchema schema, string subject) => schema as RecordSchema
        ?? throw new CommandFailedException($"The schema of '{subject}' is {schema}, not a record.");

    private static RecordSchema InFiles(string path, RecordSchema writer)
    {
        IReadOnlyList<RecordSchema> records = SchemaFiles.Read(path);
        return records.FirstOrDefault(r => r.FullName == writer.FullName)
            ?? records.FirstOrDefault(r => r.Aliases.Contains(writer.FullName))
            ?? throw new CommandFailedException($"{path} has no record {writer.FullName}, nor one with that alias; it has "
                + $"{string.Join(", ", records.Select(r => r.FullName))}.");
    }
}
