using System.Text.Json.Nodes;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Archive;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Cli.Tests;

/// <summary><c>kes archive</c>: to make one, to see what is in it and what holds events back, to check it.</summary>
public sealed class ArchiveTests(RunningKes servers) : KesCommands(servers), IClassFixture<RunningKes>
{
    private const string Events = "shop.item.events";

    [Fact]
    public async Task Archive_is_made_shown_and_checked_and_damage_of_it_is_named()
    {
        await Produce(Events, 1, ("a", "one"), ("b", "two"), ("a", "three"), ("b", "four"));
        await CreateTopic("shop.item.snapshots", partitions: 1);
        string place = Path.Combine(Folder, "archive");
        ShouldBeRefused(await Run("archive", "status", "shop.item"), 2, "--archive is missing");
        ShouldBeRefused(await Run("archive", "verify", "shop.item", "--archive", place), 1, "There is no archive in ");
        (await Lines("archive", "create", place)).ShouldBe([$"The archive is in {place}."]);
        ShouldBeRefused(await Run("archive", "status", "shop.items", "--archive", place), 1, "There is no aggregate type 'shop.items' at ");

        await ArchiveThree(place);
        using (var reader = new ConsumerBuilder<byte[], byte[]>(
            new ConsumerConfig { BootstrapServers = Servers.Kafka, GroupId = "somebody" }).Build())
            reader.Commit([new TopicPartitionOffset(Events, 0, 2)]);

        JsonNode status = JsonNode.Parse((await Lines("archive", "status", "shop.item", "--archive", place, "--json")).Single())!;
        ((long)status["start"]!, (long)status["end"]!, (long)status["ranges"]!, (long)status["records"]!).ShouldBe((0, 4, 1, 3));
        status["marks"]!.AsObject().Select(m => (m.Key, (long?)m.Value))
            .ShouldBe([("archive", 3L), ("snapshots", null), ("group somebody", 2L)]);
        ((string?)status["last"]).ShouldBe("snapshots");
        string[] shown = await Lines("archive", "status", "shop.item", "--archive", place);
        shown.Single(l => l.StartsWith("group somebody", StringComparison.Ordinal)).ShouldEndWith("2  ");
        shown.Single(l => l.StartsWith("snapshots", StringComparison.Ordinal)).ShouldEndWith("none <");

        (await Lines("archive", "verify", "shop.item", "--archive", place))[0]
            .ShouldBe("partition 0: 1 ranges, 3 records, 3 of them compared with the topic, 0 tables");
        string file = Directory.GetFiles(place, "*.parquet", SearchOption.AllDirectories).Single();
        byte[] content = await File.ReadAllBytesAsync(file, Cancellation);
        content[content.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(file, content, Cancellation);
        ProgramRun damaged = await Run("archive", "verify", "shop.item", "--archive", place);
        ShouldBeRefused(damaged, 1, "The archive of shop.item.events is not whole: 1 problems.");
        damaged.Output.ShouldContain($"{Path.GetFileName(file)} in {place}");
    }

    private static void ShouldBeRefused(ProgramRun run, int code, string message)
    {
        run.ExitCode.ShouldBe(code, run.Output);
        run.Output.ShouldContain(message);
    }

    private async Task ArchiveThree(string place)
    {
        var kafka = new KafkaConnection { BootstrapServers = Servers.Kafka };
        using IAdminClient admin = new AdminClientBuilder(kafka.Admin()).Build();
        TopicId id = (await TopicIds.OfAsync(admin, [Events], TimeSpan.FromSeconds(10), Cancellation))[Events];
        using var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = Servers.Registry });
        await using var store = new FolderArchiveStore(place);
        using var archiver = new RangeArchiver(store, kafka, new TopicFamily("shop", "item"), new WriterSchemas(registry),
            new ArchiveOptions { RangeEvents = 3 }, TimeProvider.System, NullLogger.Instance);
        (await archiver.ArchiveNextAsync(0, id, all: false, Cancellation))!.Records.ShouldBe(3);
    }
}
