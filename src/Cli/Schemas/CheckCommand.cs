using System.CommandLine;
using System.Globalization;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Schemas;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

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
            Description = "a topic to read; may be repeated. Default: every topic of events, '….events'",
            HelpName = "topic",
        };
        var command = new Command(
            "check", "read every record of topics as the schemas of files would, and say what cannot be read and what "
            + "is converted. It joins no group, and writes and registers nothing. 'schemas check' of an application does more: it folds. "
            + "Exit code 1: something cannot be read");
        command.Arguments.Add(schemas);
        command.Options.Add(topics);
        servers.AddTo(command, withRegistry: true);
        command.SetAction(async (result, cancellationToken) =>
        {
            IReadOnlyList<RecordSchema> readers = SchemaFiles.Read(result.GetValue(schemas)!);
            KafkaConnection kafka = servers.KafkaOf(result);
            using IAdminClient admin = ClusterOptions.Admin(kafka);
            List<TopicMetadata> all = ClusterOptions.Topics(admin, kafka);
            string[] named = result.GetValue(topics) ?? [];
            TopicMetadata[] read = named.Length == 0
                ? [.. all.Where(t => t.Topic.EndsWith(".events", StringComparison.Ordinal))]
                : [.. named.Select(name => ClusterOptions.Topic(admin, kafka, name))];
            if (read.Length == 0)
                throw new CommandFailedException($"There is no topic of events at {kafka.BootstrapServers}: name topics with --topic.");
            using var registry = new CachedSchemaRegistryClient(servers.RegistryOf(result));
            bool isReadable = true;
            foreach (TopicMetadata topic in read)
                isReadable &= await Task.Run(() => Check(topic, kafka, new RegisteredSchemas(registry), readers, cancellationToken),
                    cancellationToken).ConfigureAwait(false);
            Console.WriteLine(isReadable ? "Everything that was read can be read by these schemas."
                : "These schemas do not read everything.");
            return isReadable ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    private static bool Check(TopicMetadata topic, KafkaConnection kafka, RegisteredSchemas schemas, IReadOnlyList<RecordSchema> readers,
        CancellationToken cancellationToken)
    {
        Console.WriteLine(topic.Topic);
        var found = new Dictionary<SchemaName, SchemaFinding>();
        foreach (int partition in topic.Partitions.Select(p => p.PartitionId).Order())
        {
            foreach (ConsumeResult<byte[], byte[]> record in PartitionLogReader.Read(kafka, "kes-schemas",
                new TopicPartition(topic.Topic, partition), 0, cancellationToken))
            {
                if (record.Message.Value is null)
                    continue;
                byte[]? header = CloudEventHeaders.Find(record.Message.Headers, WireFormat.ValueSchemaIdHeader);
                SchemaName.TryRead(header ?? record.Message.Value, out SchemaName name, out int length);
                if (!found.TryGetValue(name, out SchemaFinding? finding))
                    found.Add(name, finding = SchemaFinding.Of(name, schemas, readers));
                finding.Take(record, header is null ? length : 0);
            }
        }

        foreach (SchemaFinding finding in found.Values.OrderBy(f => f.Reading.WriterType, StringComparer.Ordinal)
            .ThenBy(f => f.Reading.Schema, StringComparer.Ordinal))
            finding.Write(Console.Out);
        return found.Values.All(f => f.Failures == 0);
    }

    private sealed class SchemaFinding(SchemaReading reading, Resolution? resolution)
    {
        private string? _first;
        private long _records;

        public SchemaReading Reading => reading;

        public long Failures { get; private set; }

        public static SchemaFinding Of(SchemaName name, RegisteredSchemas schemas, IReadOnlyList<RecordSchema> readers)
        {
            try
            {
                AvroSchema writer = (name.Guid is { } guid ? schemas.Find(guid) : schemas.Find(name.Id)).GetAwaiter().GetResult();
                string? type = (writer as RecordSchema)?.FullName;
                RecordSchema? reader = readers.FirstOrDefault(r => r.FullName == type)
                    ?? readers.FirstOrDefault(r => type is not null && r.Aliases.Contains(type));
                return new SchemaFinding(SchemaReading.Of(name.ToString(), writer, reader),
                    reader is null ? null : SchemaResolver.Resolve(reader, writer).Resolution);
            }
            catch (UndecodableMessageException unknown)
            {
                return new SchemaFinding(new SchemaReading(name.ToString(), "(unknown)", null, false, [], [unknown.Message]), null);
            }
        }

        public void Take(ConsumeResult<byte[], byte[]> record, int start)
        {
            _records++;
            try
            {
                if (resolution is null)
                    throw new SchemaMismatchException(reading.Problems[0]);
                ResolvedWalk.Walk(record.Message.Value.AsSpan(start), resolution);
            }
            catch (Exception unreadable) when (unreadable is SchemaMismatchException or AvroDecodeException)
            {
                Failures++;
                _first ??= string.Create(CultureInfo.InvariantCulture,
                    $"{record.Partition.Value}@{record.Offset.Value}: {unreadable.Message}");
            }
        }

        public void Write(TextWriter output)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"  {reading.WriterType}  schema {reading.Schema}  {_records:N0} records  ")
                + (Failures == _records ? "CANNOT BE READ" : reading.IsOwn ? "as they are" : "converted"));
            foreach (string difference in reading.Differences)
                output.WriteLine($"      {difference}");
            if (_first is not null)
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"      {Failures:N0} cannot be read, the first at {_first}"));
        }
    }
}
