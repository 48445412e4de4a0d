using System.CommandLine;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro.Schemas;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Hosting.Verification;

namespace KafkaEventSourcing.Cli.Schemas;

/// <summary><c>kes schemas check SCHEMAS</c>: do the schemas of files read what is in topics?</summary>
internal static class CheckCommand
{

    public static Command Create()
    {
        var servers = new ClusterOptions();
        var schemas = new Argument<string>("schemas") { Description = "the schemas that shall read: an .avsc file, or a folder of them" };
        var topics = new Option<string[]>("--topic")
        {
            Description = $"a topic to read; may be repeated. Default: every topic of events, '…{TopicFamily.EventsSuffix}'",
            HelpName = "topic",
        };
        var exported = new Option<FileInfo?>("--file")
        {
            Description = "read a file of 'kes topics export' in place of a cluster and a registry, which are not asked",
            HelpName = "file",
        };
        var json = new Option<bool>("--json") { Description = "print the report as JSON" };
        var command = new Command(
            "check", "read every record of topics as the schemas of files would, and say what cannot be read and what "
            + "is converted. It joins no group, and writes and registers nothing. 'schemas check' of an application does more: it folds. "
            + "Exit code 1: something cannot be read");
        command.Arguments.Add(schemas);
        command.Options.Add(topics);
        command.Options.Add(exported);
        command.Options.Add(json);
        servers.AddTo(command, withRegistry: true);
        command.Validators.Add(result =>
        {
            if (result.GetResult(exported) is { Implicit: false } && servers.GivenOf(result) is { } server)
                result.AddError($"--file is read without servers: leave {server} out.");
        });
        command.SetAction(async (result, cancellationToken) =>
        {
            IReadOnlyList<RecordSchema> readers = SchemaFiles.Read(result.GetValue(schemas)!);
            string[] named = result.GetValue(topics) ?? [];
            SchemaCheckReport report;
            if (result.GetValue(exported) is { } file)
            {
                using ExportedRecords source = ExportedRecords.Open(file.FullName);
                report = await Check(source, readers, named, file.FullName, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                KafkaConnection kafka = servers.KafkaOf(result);
                using var registry = new CachedSchemaRegistryClient(servers.RegistryOf(result));
                CheckTopics(kafka, named);
                using var source = new TopicRecords(kafka, "kes-schemas", registry);
                report = await Check(source, readers, named, kafka.BootstrapServers, cancellationToken).ConfigureAwait(false);
            }

            if (result.GetValue(json))
                Console.WriteLine(SchemaCheckJson.Of(report));
            else
                SchemaCheckText.Write(report, Console.Out, "Everything that was read can be read by these schemas.",
                    "These schemas do not read everything.");
            return report.IsReadable ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    private static void CheckTopics(KafkaConnection kafka, string[] named)
    {
        using IAdminClient admin = ClusterOptions.Admin(kafka);
        ClusterOptions.Topics(admin, kafka); // or says that no broker answers
        foreach (string topic in named)
            ClusterOptions.Topic(admin, kafka, topic);
    }

    private static Task<SchemaCheckReport> Check(IRecordSource source, IReadOnlyList<RecordSchema> schemas, string[] named, string place,
        CancellationToken cancellationToken) => Task.Run(() =>
    {
        string[] topics = named.Length > 0
            ? named
            : [.. source.Topics.Where(t => t.EndsWith(TopicFamily.EventsSuffix, StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        if (topics.Length == 0)
            throw new CommandFailedException($"There is no topic of events at {place}: name topics with --topic.");
        var readers = new FileReaders(source.Schemas, schemas);
        var uses = new SchemaUses(readers.ReadingOf);
        foreach (string topic in topics)
        {
            foreach (int partition in source.PartitionsOf(topic))
            {
                foreach (ConsumeResult<byte[], byte[]> record in source.Read(new TopicPartition(topic, partition), 0, cancellationToken))
                {
                    if (record.Message.Value is not null)
                        uses.Add(record, readers.Problem(record));
                }
            }
        }

        return new SchemaCheckReport(uses.All, [], []);
    }, cancellationToken);
}
