using System.Text.Json.Nodes;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Cli.Tests;

/// <summary>Schemas by <c>kes</c>.</summary>
public sealed class SchemasTests(RunningKes servers) : KesCommands(servers), IClassFixture<RunningKes>
{
    private const string First = """{"type":"record","name":"Paid","namespace":"Shop","fields":[{"name":"amount","type":"long"}]}""";

    private const string Renamed = """
        {"type":"record","name":"Paid","namespace":"Shop","fields":[
          {"name":"cents","type":"long","aliases":["amount"]},{"name":"by","type":"string","default":"nobody"}]}
        """;

    private const string Unfit = """
        {"type":"record","name":"Paid","namespace":"Shop","fields":[{"name":"amount","type":"long"},{"name":"by","type":"string"}]}
        """;

    [Fact]
    public async Task Schemas_are_registered_listed_compared_and_exported()
    {
        string first = await Write("first.avsc", First);
        string renamed = await Write("renamed.avsc", Renamed);
        string unfit = await Write("unfit.avsc", Unfit);
        (await Run("schemas", "register", "s1-Shop.Paid", first, "--dry-run")).Output.ShouldContain("would take it");
        (await Run("schemas", "list", "s1-")).Output.ShouldNotContain("s1-Shop.Paid");

        ProgramRun registered = await Run("schemas", "register", "s1-Shop.Paid", first);
        registered.ExitCode.ShouldBe(0, registered.Output);
        ProgramRun refused = await Run("schemas", "register", "s1-Shop.Paid", unfit);
        refused.ExitCode.ShouldBe(1);
        refused.Output.ShouldNotContain("should not have happened");
        ProgramRun asked = await Run("schemas", "register", "s1-Shop.Paid", unfit, "--dry-run");
        (asked.ExitCode, asked.Output.Contains("would not take it", StringComparison.Ordinal)).ShouldBe((1, true));
        ProgramRun no = await Run("schemas", "diff", "s1-Shop.Paid", unfit);
        no.ExitCode.ShouldBe(1);
        no.Output.ShouldContain("cannot be read: /: the field by is not in the writer's schema and has no default");

        ProgramRun yes = await Run("schemas", "diff", "s1-Shop.Paid", renamed);
        yes.ExitCode.ShouldBe(0, yes.Output);
        yes.Output.ShouldContain("reads what version 1 wrote: yes");
        yes.Output.ShouldContain("cents was called amount");
        yes.Output.ShouldContain("by takes its default, \"nobody\"");
        yes.Output.ShouldContain("writes: NO");
        (await Run("schemas", "diff", "s1-Shop.Paid")).Output.ShouldContain("has one version: name a file");
        (await Run("schemas", "diff", "s1-Shop.Nothing")).Output.ShouldContain("no subject 's1-Shop.Nothing'");

        string folder = Path.Combine(Folder, "out");
        ProgramRun exported = await Run("schemas", "export", folder, "s1-");
        exported.ExitCode.ShouldBe(0, exported.Output);
        JsonNode entry = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "index.json"), Cancellation))!.AsArray().Single()!;
        ((string)entry["subject"]!, (int)entry["version"]!).ShouldBe(("s1-Shop.Paid", 1));
        JsonNode.DeepEquals(
            JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(folder, (string)entry["file"]!), Cancellation)),
            JsonNode.Parse(First)).ShouldBeTrue();
        (await Run("schemas", "list", "s1-")).Output.ShouldContain($"s1-Shop.Paid  1:{(int)entry["id"]!}");
    }

    [Fact]
    public async Task Schemas_of_files_are_checked_on_what_stands_in_a_topic()
    {
        using var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = Servers.Registry });
        int id = await registry.RegisterSchemaAsync("s2.events-Shop.Paid", new Schema(First, SchemaType.Avro));
        await CreateTopic("s2.events", 1);
        using (IProducer<byte[], byte[]> producer =
            new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = Servers.Kafka }).Build())
        {
            byte[] header = [0, .. BitConverter.GetBytes(System.Net.IPAddress.HostToNetworkOrder(id))];
            foreach (byte amount in (byte[])[2, 4])
                await producer.ProduceAsync("s2.events",
                    new Message<byte[], byte[]> { Key = "a"u8.ToArray(), Value = [.. header, amount] }, Cancellation);
            await producer.ProduceAsync("s2.events", new Message<byte[], byte[]> { Key = "a"u8.ToArray(), Value = [.. header] },
                Cancellation);
        }

        string good = Path.Combine(Folder, "good");
        Directory.CreateDirectory(good);
        // one file names a type of another, whichever comes first
        await Write("good/a.avsc", """{"type":"record","name":"Kept","namespace":"Shop","fields":[{"name":"p","type":"Shop.Paid"}]}""");
        await Write("good/b.avsc", Renamed);
        ProgramRun checkedOn = await Run("schemas", "check", good, "--topic", "s2.events");
        checkedOn.ExitCode.ShouldBe(1);
        checkedOn.Output.ShouldMatch($@"Shop\.Paid  schema {id} +3  converted");
        checkedOn.Output.ShouldContain("1 cannot be read, the first at 0@2");

        ProgramRun unfit = await Run("schemas", "check", await Write("unfit.avsc", Unfit), "--topic", "s2.events");
        unfit.ExitCode.ShouldBe(1);
        unfit.Output.ShouldContain("CANNOT BE READ");
        unfit.Output.ShouldContain("the first at 0@0: the field by is not in the writer's schema and has no default");
        ProgramRun none = await Run("schemas", "check", Path.Combine(Folder, "nowhere"));
        (none.ExitCode, none.Output.Contains("There is no file or folder", StringComparison.Ordinal)).ShouldBe((2, true));

        string file = Path.Combine(Folder, "s2.avro");
        ProgramRun exported = await Run("topics", "export", "s2.events", "--out", file);
        exported.ExitCode.ShouldBe(0, exported.Output);
        exported.Output.ShouldContain($"3 records and 1 schemas are in {file}");
        ProgramRun again = await Run("topics", "export", "s2.events", "--out", file);
        (again.ExitCode, again.Output.Contains("--overwrite", StringComparison.Ordinal)).ShouldBe((2, true));
        (await Run("topics", "export", "s2.nothing", "--out", file, "--overwrite")).Output.ShouldContain(
            "There is no topic and no family 's2.nothing'");
        // A device was one too: whoever wrote to it as root had put a file in its place.
        string other = await Write("notes.txt", "mine");
        ProgramRun kept = await Run("topics", "export", "s2.events", "--out", other, "--overwrite");
        (kept.ExitCode, kept.Output.Contains("is not an Avro file", StringComparison.Ordinal)).ShouldBe((2, true));
        (await File.ReadAllTextAsync(other, Cancellation)).ShouldBe("mine");
        var nowhere = new Dictionary<string, string> { ["KES_KAFKA"] = "localhost:1", ["KES_REGISTRY"] = "http://localhost:1" };
        string[] json = ["schemas", "check", good, "--topic", "s2.events", "--json"];
        ProgramRun live = await ProgramRun.FinishAsync("dotnet", [Kes, .. json], Environment, Cancellation);
        ProgramRun filed = await ProgramRun.FinishAsync("dotnet", [Kes, .. json, "--file", file], nowhere, Cancellation);
        (filed.ExitCode, filed.Output).ShouldBe((1, live.Output));
        JsonNode.Parse(filed.Output)!["schemas"]![0]!["failures"]!.GetValue<int>().ShouldBe(1);
        (await Run("schemas", "check", good, "--file", file, "--registry", Servers.Registry)).Output.ShouldContain(
            "--file is read without servers: leave --registry out.");
        await File.WriteAllBytesAsync(file, (await File.ReadAllBytesAsync(file, Cancellation))[..^9], Cancellation);
        ProgramRun cut = await Run("schemas", "check", good, "--file", file);
        (cut.ExitCode, cut.Output.Contains("s2.avro is cut: 9 of its", StringComparison.Ordinal)).ShouldBe((2, true));
    }

    [Fact]
    public async Task Families_are_exported_with_their_snapshots_dead_letters_events_and_commands()
    {
        foreach (string topic in (string[])["events", "commands", "dead-letters", "replies"])
            await CreateTopic($"s3.a.{topic}", 1);
        await CreateTopic("s3.b.events", 2);
        string file = Path.Combine(Folder, "s3.avro");
        ProgramRun exported = await Run("topics", "export", "s3.b", "s3.a", "s3.b.events", "--out", file);
        exported.ExitCode.ShouldBe(0, exported.Output);
        exported.Output.Split('\n').Where(l => l.StartsWith("s3.", StringComparison.Ordinal)).Select(l => l.Split(' ')[0])
            .ShouldBe(["s3.b.events", "s3.a.dead-letters", "s3.a.events", "s3.a.commands"]);
        exported.Output.ShouldContain("0 records and 0 schemas");
        ProgramRun all = await Run("topics", "export", "--all", "--out", file, "--overwrite");
        all.ExitCode.ShouldBe(0, all.Output);
        all.Output.ShouldContain("s3.a.commands");
    }

    private async Task<string> Write(string name, string schema)
    {
        string path = Path.Combine(Folder, name);
        await File.WriteAllTextAsync(path, schema, Cancellation);
        return path;
    }
}
