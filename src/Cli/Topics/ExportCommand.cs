using System.CommandLine;
using System.Globalization;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary><c>kes topics export NAME… --out FILE</c>: records of topics, with their schemas, in an Avro file.</summary>
internal static class ExportCommand
{
    public static Command Create()
    {
        var cluster = new ClusterOptions();
        var names = new Argument<string[]>("names")
        {
            Description = "families, such as bank.account, of which snapshots, dead letters, events and commands are exported; or topics",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var all = new Option<bool>("--all") { Description = "every family that has events" };
        var file = new Option<FileInfo>("--out")
        {
            Description = "the file to write; it has its name when it is whole",
            HelpName = "file",
            Required = true,
        };
        var overwrite = new Option<bool>("--overwrite") { Description = "replace the file when there is one" };
        var command = new Command("export", "write records, as they stand, to an Avro file that other tools read too, with the schemas, "
            + "partition counts and committed positions that 'schemas check --file' needs. What is committed alone is read, no group is "
            + "joined, and nothing is written to the cluster");
        command.Arguments.Add(names);
        command.Options.Add(all);
        command.Options.Add(file);
        command.Options.Add(overwrite);
        cluster.AddTo(command, withRegistry: true);
        command.Validators.Add(result =>
        {
            if (result.GetValue(all) == result.GetValue(names) is { Length: > 0 })
                result.AddError("Name what is to be exported, such as 'kes topics export bank.account --out account.avro', or give --all.");
        });
        command.SetAction(async (result, cancellationToken) =>
        {
            string path = result.GetValue(file)!.FullName;
            bool replace = result.GetValue(overwrite);
            CheckFile(path, replace);
            KafkaConnection kafka = cluster.KafkaOf(result);
            IReadOnlyList<string> topics = TopicsOf(kafka, result.GetValue(names)!);
            using var registry = new CachedSchemaRegistryClient(cluster.RegistryOf(result));
            var export = new RecordExport(kafka, registry, TimeProvider.System);
            ExportContents contents = null!;
            await Progress.ShowAsync("exporting", "records", null, () => export.Records,
                () => Task.Run(() => contents = Run(export, topics, path, replace, cancellationToken), cancellationToken),
                TimeProvider.System).ConfigureAwait(false);
            Tell(path, contents);
            return ExitCodes.Done;
        });
        return command;
    }

    // Before minutes of reading; what happens until they are over is seen when the file gets its name.
    private static void CheckFile(string path, bool replace)
    {
        if (Directory.Exists(path))
            throw new InvalidInputException("--out", $"{path} is a folder: --out names a file.");
        if (!Directory.Exists(Path.GetDirectoryName(path)))
            throw new InvalidInputException("--out", $"The folder of {path} is not there.");
        if (File.Exists(path) && !replace)
            throw new InvalidInputException("--out", $"{path} is there already: name another file, or replace an earlier export with "
                + "--overwrite.");
        // A device or a pipe has no bytes of its own, and a new file of its name would take its place.
        if (File.Exists(path) && !IsAvroFile(path))
            throw new InvalidInputException("--out", $"{path} is not an Avro file: --overwrite replaces nothing else. Name another file.");
    }

    private static bool IsAvroFile(string path)
    {
        try
        {
            return ExportedRecords.IsAvroFile(path);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"{path} is there already and cannot be looked at: {unreadable.Message}", unreadable);
        }
    }

    // A name is a topic's, or a family's; none: all families.
    private static IReadOnlyList<string> TopicsOf(KafkaConnection kafka, IReadOnlyCollection<string> names)
    {
        using IAdminClient admin = ClusterOptions.Admin(kafka);
        string[] all = [.. ClusterOptions.Topics(admin, kafka).Select(t => t.Topic)];
        IReadOnlyList<TopicFamily> families = RecordExport.FamiliesOf(all);
        if (names.Count == 0 && families.Count == 0)
            throw new CommandFailedException($"There is no topic of events at {kafka.BootstrapServers}: nothing is exported.");
        return names.Count == 0
            ? [.. families.SelectMany(f => RecordExport.TopicsOf(f, all))]
            : [.. names.SelectMany(Named).Distinct(StringComparer.Ordinal)];

        IReadOnlyList<string> Named(string name) => all.Contains(name, StringComparer.Ordinal) ? [name]
            : families.FirstOrDefault(f => $"{f.Application}.{f.Aggregate}" == name) is { } family ? RecordExport.TopicsOf(family, all)
            : throw new CommandFailedException($"There is no topic and no family '{name}' at {kafka.BootstrapServers}. "
                + $"'kes topics list' shows the topics; the families are: {Families(families)}.");
    }

    private static string Families(IReadOnlyList<TopicFamily> families) =>
        families.Count == 0 ? "none" : string.Join(", ", families.Select(f => $"{f.Application}.{f.Aggregate}"));

    private static ExportContents Run(RecordExport export, IReadOnlyList<string> topics, string path, bool replace,
        CancellationToken cancellationToken)
    {
        try
        {
            return export.Run(topics, path, replace, cancellationToken);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"{path} cannot be written: {refused.Message}", refused);
        }
    }

    private static void Tell(string path, ExportContents contents)
    {
        int width = contents.Topics.Select(t => t.Name.Length).Append("TOPIC".Length).Max();
        Console.WriteLine($"{"TOPIC".PadRight(width)}  PARTITIONS       RECORDS");
        foreach (ExportedTopic topic in contents.Topics)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{topic.Name.PadRight(width)}  {topic.Partitions.Count,10}  {topic.Partitions.Sum(p => p.Records),12:N0}"));
        foreach (ExportedSchema missing in contents.Schemas.Where(s => s.Schema is null))
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"The registry does not have schema {missing.Guid?.ToString() ?? $"{missing.Id}"}: values of it cannot be read."));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{contents.Records():N0} records and {contents.Schemas.Count(s => s.Schema is not null):N0} schemas are in {path}, "
                + $"{new FileInfo(path).Length:N0} bytes."));
    }
}
