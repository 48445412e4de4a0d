using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Archive;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.Archiving;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Processing;
using KafkaEventSourcing.Projections.MongoDB;

namespace KafkaEventSourcing.Cli.Archives;

/// <summary><c>kes archive status FAMILY</c>.</summary>
internal static class StatusCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static Command Create()
    {
        var cluster = new ClusterOptions();
        Argument<string> family = ArchiveOption.Family();
        Option<string> location = ArchiveOption.Location();
        var mongo = new Option<string?>("--mongodb")
        {
            Description = "MongoDB of the read models, whose marks are looked at too (variable: KES_MONGODB)",
            DefaultValueFactory = _ => Environment.GetEnvironmentVariable("KES_MONGODB"),
        };
        var streams = new Option<string?>("--stream-snapshots")
        {
            Description = "the topic in which event streams keep the snapshots, where nodes restore from that (default: barriers)",
            HelpName = "TOPIC",
        };
        var json = new Option<bool>("--json") { Description = "one JSON object a line, for each partition" };
        var command = new Command("status", "of each partition what is in the topic, what is archived, and what has not passed its events");
        command.Arguments.Add(family);
        foreach (Option option in (Option[])[location, mongo, streams, json])
            command.Options.Add(option);
        cluster.AddTo(command, withRegistry: true);
        command.SetAction((result, cancellationToken) => Task.Run(async () =>
        {
            KafkaConnection kafka = cluster.KafkaOf(result);
            IArchiveStore store = await ArchiveOption.Open(result.GetValue(location)!, cancellationToken).ConfigureAwait(false);
            await using (store.ConfigureAwait(false))
            {
                FamilyTopics topics = FamilyTopics.Find(kafka, result.GetValue(family)!);
                using var registry = new CachedSchemaRegistryClient(cluster.RegistryOf(result));
                using StoredCheckpoints? checkpoints = result.GetValue(mongo) is { Length: > 0 } address
                    ? new StoredCheckpoints(address, topics.Family.Application)
                    : null;
                string id = IdOf(kafka, topics.Family, cancellationToken);
                using var marks = new RetentionMarks(
                    topics.Family,
                    kafka,
                    new ArchiveReader(store, [topics.Family]),
                    new ArchiveOptions(),
                    new SnapshotCoverage(kafka, topics.Family, AvroMessageSerde.Create(registry, []), result.GetValue(streams)),
                    (partition, token) => checkpoints?.Of(id, partition, token).Select(c =>
                        new RetentionMark($"read model {c.ReadModel}", c.Next)) ?? [],
                    [],
                    TimeProvider.System);
                PartitionRetention[] all = [.. Enumerable.Range(0, topics.Partitions).Select(p => marks.Of(p, cancellationToken))];
                if (result.GetValue(json))
                    Array.ForEach(all, p => Console.WriteLine(Json(p).ToJsonString()));
                else
                    Print(all, withReadModels: checkpoints is not null);
                return ExitCodes.Done;
            }
        }, cancellationToken));
        return command;
    }

    private static string IdOf(KafkaConnection kafka, TopicFamily family, CancellationToken cancellationToken)
    {
        using IAdminClient admin = ClusterOptions.Admin(kafka);
        return TopicIds.OfAsync(admin, [family.Events], Patience, cancellationToken).GetAwaiter().GetResult() // a thread of its own
            [family.Events].ToString();
    }

    private static void Print(PartitionRetention[] all, bool withReadModels)
    {
        Console.WriteLine("PARTITION  IN TOPIC FROM           END  RANGES      RECORDS   TOPIC BYTES    FILE BYTES   TABLE BYTES");
        foreach (PartitionRetention p in all)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{p.Partition,9}  {p.Start,13}  {p.End,12}  {p.Archived.Ranges,6}  {p.Archived.Records,11}  {p.Archived.RecordBytes,12}  "
                    + $"{p.Archived.FileBytes,12}  {p.Archived.TableBytes,12}"));
        string[] names = [.. all.SelectMany(p => p.Marks).Select(m => m.Name).Distinct()];
        int width = names.Max(n => n.Length);
        Console.WriteLine();
        Console.WriteLine("The first offset that each has not passed; events before the least of them may leave the topic (<).");
        Console.WriteLine($"{"".PadRight(width)}  {string.Join("  ", all.Select(p => $"partition {p.Partition}".PadLeft(14)))}");
        foreach (string name in names)
            Console.WriteLine($"{name.PadRight(width)}  {string.Join("  ", all.Select(p => Cell(p, name)))}");
        if (!withReadModels)
            Console.WriteLine("Read models were not looked at: name MongoDB with --mongodb.");
    }

    private static string Cell(PartitionRetention partition, string name)
    {
        if (partition.Marks.FirstOrDefault(m => m.Name == name) is not { } mark)
            return "".PadLeft(14);
        string next = mark.Next?.ToString(CultureInfo.InvariantCulture) ?? "none";
        return $"{next}{((mark.Next ?? 0) == (partition.Last!.Next ?? 0) ? " <" : "  ")}".PadLeft(14);
    }

    private static JsonObject Json(PartitionRetention partition) => new()
    {
        ["partition"] = partition.Partition,
        ["start"] = partition.Start,
        ["end"] = partition.End,
        ["ranges"] = partition.Archived.Ranges,
        ["records"] = partition.Archived.Records,
        ["recordBytes"] = partition.Archived.RecordBytes,
        ["fileBytes"] = partition.Archived.FileBytes,
        ["tableBytes"] = partition.Archived.TableBytes,
        ["marks"] = new JsonObject(partition.Marks.Select(m => KeyValuePair.Create(m.Name, (JsonNode?)m.Next))),
        ["last"] = partition.Last?.Name,
    };
}
