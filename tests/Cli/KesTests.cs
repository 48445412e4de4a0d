using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Avro;
using Avro.Generic;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Confluent.SchemaRegistry;
using Confluent.SchemaRegistry.Serdes;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Cli.Tests;

/// <summary>
/// <c>kes</c> as an operator types it: output and exit codes of the real program. The tests share one <c>kes up</c>; each has topics of its
/// own.
/// </summary>
public sealed partial class KesTests(KesTests.RunningServers servers) : IClassFixture<KesTests.RunningServers>, IDisposable
{
    private static readonly string Kes = Path.Combine(AppContext.BaseDirectory, "kes.dll");

    private readonly string _folder = Directory.CreateTempSubdirectory("kes-cli-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Topics_are_planned_applied_listed_described_and_tailed()
    {
        string file = Path.Combine(_folder, "topics.yaml");
        await File.WriteAllTextAsync(file,
            "topics:\n  - name: shop.order.events\n    partitions: 2\n    replicationFactor: 1\n    configs:\n      retention.ms: \"-1\"\n",
            Cancellation);
        ProgramRun plan = await Run("topics", "plan", file);
        plan.ExitCode.ShouldBe(0, plan.Output);
        plan.Output.ShouldContain("shop.order.events");
        (await Run("topics", "list")).Output.ShouldNotContain("shop.order.events");

        ProgramRun applied = await Run("topics", "apply", file);
        applied.ExitCode.ShouldBe(0);
        applied.Output.ShouldContain("Applied: 1 topics created, 0 configs set.");
        (await Run("topics", "list")).Output.ShouldContain("shop.order.events");
        ProgramRun described = await Run("topics", "describe", "shop.order.events");
        described.ExitCode.ShouldBe(0);
        described.Output.ShouldContain("retention.ms");

        await File.WriteAllTextAsync(file, "topics:\n  - name: shop.order.events\n    partitions: 3\n    replicationFactor: 1\n",
            Cancellation);
        ProgramRun refused = await Run("topics", "apply", file);
        refused.ExitCode.ShouldBe(1, "it was 2, wrong usage, where plan of the same file ended with 1");
        refused.Output.ShouldContain("has 2 partitions, 3 are declared");
        refused.Output.ShouldContain("Nothing is applied");
        (await Run("topics", "plan", file)).ExitCode.ShouldBe(1);
    }

    [Fact]
    public async Task Topics_declared_for_an_application_are_those_that_its_nodes_would_create()
    {
        string file = Path.Combine(_folder, "declared.yaml");
        await File.WriteAllLinesAsync(file, await Lines("topics", "declare", "store", "item", "--process", "order", "--partitions", "2",
            "--replication-factor", "1"), Cancellation);
        ProgramRun applied = await Run("topics", "apply", file);
        applied.ExitCode.ShouldBe(0, applied.Output);
        applied.Output.ShouldContain("Applied: 13 topics created");
        (await Run("topics", "plan", file)).Output.ShouldContain("Nothing to do");
        using var provisioner = new EventLog.TopicProvisioner(new EventLog.KafkaConnection { BootstrapServers = servers.Kafka });
        (await provisioner.PlanAsync(EventLog.TopicDeclaration.For(new EventLog.TopicFamily("store", "item"), 2, 1), Cancellation)).IsEmpty
            .ShouldBeTrue();
        (await provisioner.PlanAsync(EventLog.TopicDeclaration.For(new EventLog.TopicFamily("store", "order"), 2, 1, isProcess: true),
            Cancellation)).IsEmpty.ShouldBeTrue();
    }

    // Declared 3, actual 1, and the plan said "Nothing to do"; a config of a wrong value was "This should not have happened".
    [Fact]
    public async Task Topics_that_cannot_be_as_declared_are_told_with_what_is_wrong()
    {
        string file = Path.Combine(_folder, "topics.yaml");
        await Declare(replicas: 1, "604800000");
        (await Run("topics", "apply", file)).ExitCode.ShouldBe(0);

        await Declare(replicas: 3, "604800000");
        ProgramRun plan = await Run("topics", "plan", file);
        plan.ExitCode.ShouldBe(1);
        plan.Output.ShouldContain("cannot shop.cart.events replicas: 1 -> 3");
        plan.Output.ShouldNotContain("Nothing to do");

        await Declare(replicas: 1, "a week");
        ProgramRun apply = await Run("topics", "apply", file);
        apply.ExitCode.ShouldBe(2);
        apply.Output.ShouldContain("The topic shop.cart.events cannot have retention.ms=a week: ");
        apply.Output.ShouldNotContain("should not have happened");

        Task Declare(int replicas, string retention) => File.WriteAllTextAsync(
            file, $"topics:\n  - name: shop.cart.events\n    partitions: 2\n    replicationFactor: {replicas}\n    configs:\n      "
                + $"retention.ms: \"{retention}\"\n", Cancellation);
    }

    [Fact]
    public async Task Tail_shows_keys_headers_and_values()
    {
        await Produce("notes", partitions: 1, ("k1", "hello there"));
        string[] lines = await Lines("topics", "tail", "notes");
        lines[0].ShouldBe("0@0  2026-03-01T00:00:00.000Z  k1");
        lines[1..].ShouldBe(["    n: 0", "  hello there"]);
    }

    [Fact]
    public async Task Tail_begins_where_it_is_told()
    {
        await Produce("begin", partitions: 1, [.. Enumerable.Range(0, 15).Select(i => ("k", $"v{i}"))]);
        (await Values("begin")).ShouldBe(Enumerable.Range(5, 10).Select(i => $"v{i}"));
        (await Values("begin", "--last", "2")).ShouldBe(["v13", "v14"]);
        (await Values("begin", "--from", "beginning")).ShouldBe(Enumerable.Range(0, 15).Select(i => $"v{i}"));
        (await Values("begin", "--from", "beginning", "--limit", "3")).ShouldBe(["v0", "v1", "v2"]);
        (await Values("begin", "--from", "12")).ShouldBe(["v12", "v13", "v14"]);
        (await Values("begin", "--from", "4711")).ShouldBeEmpty();
        (await Values("begin", "--from", "end")).ShouldBeEmpty();
        // Record i has the time of day i of March.
        (await Values("begin", "--from", "2026-03-14")).ShouldBe(["v13", "v14"]);
        (await Values("begin", "--from", "2026-03-14T00:00:00.001Z")).ShouldBe(["v14"]);
        (await Values("begin", "--from", "2027-01-01T00:00:00+01:00")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Tail_reads_one_partition_or_all()
    {
        await Produce("parts", partitions: 3, [.. Enumerable.Range(0, 9).Select(i => ("k", $"v{i}"))]);
        (await Values("parts", "--partition", "1")).ShouldBe(["v1", "v4", "v7"]);
        (await Values("parts")).Order().ShouldBe(Enumerable.Range(0, 9).Select(i => $"v{i}"));
        (await Values("parts", "--limit", "4")).Length.ShouldBe(4);
        ProgramRun none = await Run("topics", "tail", "parts", "--partition", "3");
        none.ExitCode.ShouldBe(1);
        none.Output.ShouldContain("has the partitions 0 to 2, and no partition 3");
    }

    [Fact]
    public async Task Tail_json_is_one_object_a_line_that_holds_everything()
    {
        await CreateTopic("objects", partitions: 1);
        using (IProducer<byte[]?, byte[]?> producer = new ProducerBuilder<byte[]?, byte[]?>(
            new ProducerConfig { BootstrapServers = servers.Kafka }).Build())
        {
            var headers = new Headers { { "one", "a"u8.ToArray() }, { "two", "b"u8.ToArray() }, { "two", [0xff] }, { "none", null } };
            await producer.ProduceAsync("objects",
                new Message<byte[]?, byte[]?>
                {
                    Key = "é"u8.ToArray(),
                    Value = "two\nlines"u8.ToArray(),
                    Headers = headers,
                    Timestamp = TimeOf(0),
                }, Cancellation);
            await producer.ProduceAsync("objects",
                new Message<byte[]?, byte[]?> { Key = null, Value = [0xff, 0x01], Timestamp = TimeOf(1) }, Cancellation);
            await producer.ProduceAsync("objects", new Message<byte[]?, byte[]?> { Key = [0xff], Value = null, Timestamp = TimeOf(2) },
                Cancellation);
            await producer.ProduceAsync("objects",
                new Message<byte[]?, byte[]?> { Key = [], Value = [0, 0, 0, 0x10, 0, 1], Timestamp = TimeOf(3) }, Cancellation);
        }

        string[] lines = await Lines("topics", "tail", "objects", "--json");
        lines[..3].ShouldBe(
        [
            """{"topic":"objects","partition":0,"offset":0,"timestamp":"2026-03-01T00:00:00.000Z","key":"é","headers":{"one":"a","two":["b","base64:/w=="],"none":null},"value":"two\nlines"}""",
            """{"topic":"objects","partition":0,"offset":1,"timestamp":"2026-03-02T00:00:00.000Z","key":null,"headers":{},"valueBase64":"/wE="}""",
            """{"topic":"objects","partition":0,"offset":2,"timestamp":"2026-03-03T00:00:00.000Z","keyBase64":"/w==","headers":{},"value":null}""",
        ]);
        JsonNode unreadable = JsonNode.Parse(lines[3])!;
        unreadable["schemaId"]!.GetValue<int>().ShouldBe(4096);
        unreadable["error"]!.GetValue<string>().ShouldNotBeEmpty();
        unreadable["valueBase64"]!.GetValue<string>().ShouldBe("AAAAEAAB");
        lines.Length.ShouldBe(4);
    }

    [Fact]
    public async Task Tail_json_decodes_Avro_by_its_schema()
    {
        await CreateTopic("avro", partitions: 1);
        using var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = servers.Registry });
        var schema = (RecordSchema)global::Avro.Schema.Parse(
            """{"type":"record","name":"Note","namespace":"shop","fields":[{"name":"text","type":["null","string"]},{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"day","type":{"type":"int","logicalType":"date"}}]}""");
        var note = new GenericRecord(schema);
        note.Add("text", "hello");
        note.Add("at", new DateTime(2026, 3, 1, 0, 0, 0, DateTimeKind.Utc));
        note.Add("day", new DateTime(2026, 3, 2, 0, 0, 0, DateTimeKind.Utc));
        using (IProducer<Null, GenericRecord> producer = new ProducerBuilder<Null, GenericRecord>(new ProducerConfig
        {
            BootstrapServers = servers.Kafka,
        }).SetValueSerializer(new AvroSerializer<GenericRecord>(registry)).Build())
            await producer.ProduceAsync("avro", new Message<Null, GenericRecord> { Value = note }, Cancellation);
        JsonNode record = JsonNode.Parse((await Lines("topics", "tail", "avro", "--json")).ShouldHaveSingleItem())!;
        record["schema"]!.GetValue<string>().ShouldBe("shop.Note");
        // as HTTP has a day; it was 2026-03-02T00:00:00Z
        record["value"]!.ToJsonString().ShouldBe("""{"text":"hello","at":"2026-03-01T00:00:00Z","day":"2026-03-02"}""");
    }

    // Of a schema that a header names only the bytes were shown; a value that is nested without end ended the program.
    [Fact]
    public async Task Tail_json_decodes_by_the_schema_in_a_header_and_tells_of_a_value_that_is_nested_too_deep()
    {
        await CreateTopic("guids", partitions: 1);
        using var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = servers.Registry });
        const string Node =
            """{"type":"record","name":"Node","namespace":"shop","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","Node"]}]}""";
        Confluent.SchemaRegistry.RegisteredSchema schema = await registry.RegisterSchemaWithResponseAsync("guids-value",
            new Confluent.SchemaRegistry.Schema(Node, SchemaType.Avro));
        using (IProducer<Null, byte[]> producer = new ProducerBuilder<Null, byte[]>(
            new ProducerConfig { BootstrapServers = servers.Kafka }).Build())
        {
            var headers = new Headers { { "__value_schema_id", [1, .. Guid.Parse(schema.Guid).ToByteArray(bigEndian: true)] } };
            await producer.ProduceAsync("guids", new Message<Null, byte[]> { Value = [2, 2, 4, 0], Headers = headers }, Cancellation);
            await producer.ProduceAsync("guids",
                new Message<Null, byte[]> { Value = [.. Enumerable.Repeat((byte)2, 400_000), 2, 0], Headers = headers }, Cancellation);
        }

        string[] lines = await Lines("topics", "tail", "guids", "--json");
        JsonNode read = JsonNode.Parse(lines[0])!;
        read["schemaGuid"]!.GetValue<string>().ShouldBe(schema.Guid);
        read["schema"]!.GetValue<string>().ShouldBe("shop.Node");
        read["value"]!.ToJsonString().ShouldBe("""{"v":1,"next":{"v":2,"next":null}}""");
        JsonNode.Parse(lines[1])!["error"]!.GetValue<string>().ShouldContain("nested deeper than 64");
    }

    [Fact]
    public async Task Tail_follow_shows_what_comes_until_it_is_ended()
    {
        await Produce("follow", partitions: 1, ("k", "before"));
        await using ProgramRun tail = Start("topics", "tail", "follow", "--follow", "--json");
        await tail.WaitForLineAsync(ValueLine("before"), Cancellation);
        await Append("follow", ("k", "after"));
        await tail.WaitForLineAsync(ValueLine("after"), Cancellation);
        (await tail.TerminateAsync(Cancellation)).ShouldBe(0);
    }

    [Fact]
    public async Task Tail_follow_from_the_end_shows_new_records_only_and_ends_at_its_limit()
    {
        await Produce("news", partitions: 1, ("k", "old"));
        await using ProgramRun tail = Start("topics", "tail", "news", "--from", "end", "--follow", "--limit", "2", "--json");
        // It says so once it knows where the end is.
        await tail.WaitForLineAsync(new Regex("^Following news"), Cancellation);
        await Append("news", ("k", "new 1"), ("k", "new 2"), ("k", "new 3"));
        await tail.WaitForLineAsync(ValueLine("new 2"), Cancellation);
        await tail.WaitForExitAsync(Cancellation);
        tail.ExitCode.ShouldBe(0);
        tail.Output.ShouldNotContain("old");
        tail.Output.ShouldNotContain("new 3");
    }

    [Fact]
    public async Task Tail_ends_when_its_reader_has_enough()
    {
        await Produce("enough", partitions: 1, ("k", "one"));
        await using ProgramRun head = ProgramRun.Start("sh", ["-c", $"dotnet {Kes} topics tail enough --follow --json | head -n 1"],
            Environment);
        await head.WaitForLineAsync(ValueLine("one"), Cancellation);
        // It is found out by writing, as everywhere on Unix.
        Task ended = head.WaitForExitAsync(Cancellation);
        while (!ended.IsCompleted)
            await Append("enough", ("k", "more"));
        await ended;
        head.ExitCode.ShouldBe(0);
        head.Output.ShouldNotContain("more");
    }

    [Theory]
    [InlineData("'yesterday'; it must be beginning, end, an offset", "--from", "yesterday")]
    [InlineData("'-1'; it must be", "--from", "-1")]
    [InlineData("--limit is 0", "--limit", "0")]
    [InlineData("--last is -1", "--last", "-1")]
    [InlineData("give one of them", "--last", "3", "--from", "end")]
    public async Task Tail_that_cannot_be_meant_is_wrong_usage(string told, params string[] options)
    {
        ProgramRun run = await Run(["topics", "tail", "any", .. options]);
        run.Output.ShouldContain(told);
        run.ExitCode.ShouldBe(2, run.Output);
    }

    [Theory]
    [InlineData(2, "--frobnicate", "topics", "list", "--frobnicate")]
    [InlineData(2, "no-such-verb", "topics", "no-such-verb")]
    [InlineData(2, "'abc' for option '--kafka-port'.", "up", "--kafka-port", "abc")]
    [InlineData(2, "'abc' for option '--limit'.", "topics", "tail", "any", "--limit", "abc")]
    [InlineData(2, "'abc' for option '--partition'.", "topics", "tail", "any", "--partition", "abc")]
    [InlineData(2, "'abc' for option '--timeout'.", "dead-letters", "retry", "bank.account", "--all", "--timeout", "abc")]
    [InlineData(2, "needs --all", "dead-letters", "retry", "bank.account", "--aggregate", "a", "--cause", "unknown-schema")]
    [InlineData(2, "--misplaced", "dead-letters", "discard", "bank.account", "--aggregate", "a", "--misplaced", "--reason", "x")]
    [InlineData(2, "missing.yaml", "topics", "plan", "missing.yaml")]
    [InlineData(1, "no-such-topic", "topics", "describe", "no-such-topic")]
    [InlineData(1, "There is no topic '@text'", "topics", "describe", "@text")] // it was taken for a file of arguments
    [InlineData(2, "no.such", "topics", "list", "--kafka-setting", "no.such=1")]
    [InlineData(2, "--data is empty", "up", "--data", "")]
    [InlineData(2, "No aggregate type is named", "topics", "declare", "shop")]
    [InlineData(2, "The aggregate type order is named twice", "topics", "declare", "shop", "order", "--process", "order")]
    [InlineData(2, "The application 'My Shop' must start with a lower case letter", "topics", "declare", "My Shop", "order")]
    [InlineData(2, "--partitions is 0; at least 1 is needed", "topics", "declare", "shop", "order", "--partitions", "0")]
    [InlineData(1, "'run --kafka-port 9092'", "topics", "list", "--kafka", "127.0.0.1:1")]
    [InlineData(2, "--by is empty", "dead-letters", "discard", "bank.account", "--aggregate", "a", "--reason", "x", "--by", "")]
    [InlineData(2, "isolation.level cannot be set", "topics", "list", "--kafka-setting", "isolation.level=read_uncommitted")]
    [InlineData(2, "'abc' for option '--brokers'.", "up", "--brokers", "abc")] // it ended with an unhandled exception
    [InlineData(2, "--data is '", "up", "--data", "/dev/null/data")]
    [InlineData(2, "'foo'", "foo", "--help")]
    [InlineData(2, "'more'", "topics", "tail", "any", "more", "--help")]
    public async Task Wrong_usage_and_failure_say_what_is_wrong(int exitCode, string told, params string[] arguments)
    {
        ProgramRun run = await Run(arguments);
        run.Output.ShouldContain(told);
        run.Output.ShouldNotContain("This should not have happened");
        run.ExitCode.ShouldBe(exitCode, run.Output);
    }

    [Fact]
    public async Task Version_names_the_native_client_too() => (await Lines("--version"))[1].ShouldStartWith("librdkafka 2.");

    // A file stream keeps a position of its own: what came before or after it was overwritten.
    [Fact]
    public async Task Tail_writes_behind_what_others_have_written_to_the_same_file()
    {
        await Produce("shared", partitions: 1, ("k", "one"));
        string file = Path.Combine(_folder, "shared.txt");
        ProgramRun run = await ProgramRun.FinishAsync("sh",
            ["-c", $"(echo before; dotnet {Kes} topics tail shared --json; echo after) > {file}"], Environment, Cancellation);
        run.ExitCode.ShouldBe(0, run.Output);
        string[] lines = await File.ReadAllLinesAsync(file, Cancellation);
        lines.Length.ShouldBe(3);
        (lines[0], lines[2]).ShouldBe(("before", "after"));
        lines[1].ShouldContain("\"value\":\"one\"");
    }

    // Its second line looked like a record of its own, and a direction mark turned what was beside it.
    [Fact]
    public async Task Tail_shows_line_breaks_and_direction_marks_as_escapes()
    {
        await Produce("controls", partitions: 1, ("k\u202ex", "a\nb"));
        string[] lines = await Lines("topics", "tail", "controls");
        lines[0].ShouldEndWith(@"k\u202ex");
        lines[^1].ShouldBe(@"  a\nb");
    }

    [Fact]
    public async Task Up_on_a_port_in_use_says_so()
    {
        string port = servers.Kafka[(servers.Kafka.LastIndexOf(':') + 1)..];
        ProgramRun second = await ProgramRun.FinishAsync("dotnet",
            [Kes, "up", "--kafka-port", port, "--registry-port", "0", "--mongodb-port", "0", "--data", Path.Combine(_folder, "other")],
            null, Cancellation);
        second.ExitCode.ShouldBe(1);
        second.Output.ShouldContain(port);
        second.Output.ShouldContain("in use");
        string other = servers.Registry[(servers.Registry.LastIndexOf(':') + 1)..].TrimEnd('/');
        ProgramRun third = await ProgramRun.FinishAsync("dotnet",
            [Kes, "up", "--kafka-port", "0", "--registry-port", other, "--mongodb-port", "0", "--data", Path.Combine(_folder, "third")],
            null, Cancellation);
        third.ExitCode.ShouldBe(1);
        third.Output.ShouldContain($"Port {other} of 127.0.0.1, which the Schema Registry shall listen on, is in use");
        third.Output.ShouldNotContain("   at "); // the web server's own log told it first, with a stack trace
    }

    [Fact]
    public async Task Up_ends_on_request_with_exit_code_0()
    {
        await using ProgramRun up = ProgramRun.Start("dotnet",
            [Kes, "up", "--kafka-port", "0", "--registry-port", "0", "--mongodb-port", "0", "--data", Path.Combine(_folder, "data")]);
        await up.WaitForLineAsync(RegistryLine(), Cancellation);
        (await up.TerminateAsync(Cancellation)).ShouldBe(0);
    }

    private static Timestamp TimeOf(int day) => new(new DateTime(2026, 3, 1, 0, 0, 0, DateTimeKind.Utc).AddDays(day));

    private static Regex ValueLine(string value) => new($"\"value\":\"{value}\"");

    private Dictionary<string, string> Environment => new() { ["KES_KAFKA"] = servers.Kafka, ["KES_REGISTRY"] = servers.Registry };

    private async Task CreateTopic(string topic, int partitions)
    {
        using IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = servers.Kafka }).Build();
        // The records' times are fixed days: retention must not find them old.
        await admin.CreateTopicsAsync([new TopicSpecification
        {
            Name = topic,
            NumPartitions = partitions,
            ReplicationFactor = 1,
            Configs = new() { ["retention.ms"] = "-1" },
        }]);
    }

    [Fact]
    public async Task Misplaced_events_and_snapshots_are_given_up_and_shown_so()
    {
        // Of two partitions "k" belongs to one: each record is right on one of them and wrong on the other.
        await Produce("depot.stock.events", partitions: 2, ("k", "one"), ("k", "two"));
        await Produce("depot.stock.snapshots", partitions: 2, ("k", "one"), ("k", "two"));
        await CreateTopic("depot.stock.dead-letters", 2);
        int wrong = 1 - EventLog.Murmur2.Partition("k"u8, 2);

        ProgramRun discard = await Run("dead-letters", "discard", "depot.stock", "--misplaced", "--reason", "a careless copy",
            "--by", "Ada");
        discard.ExitCode.ShouldBe(0, discard.Output);
        discard.Output.ShouldContain($"depot.stock.events {wrong}@0 of k");
        discard.Output.ShouldContain($"depot.stock.snapshots {wrong}@0 of k");
        discard.Output.ShouldContain("1 misplaced events and 1 misplaced snapshots are discarded.");
        (await Run("dead-letters", "discard", "depot.stock", "--misplaced", "--reason", "again")).Output.ShouldContain(
            "0 misplaced events and 0 misplaced snapshots are discarded.");

        ProgramRun tail = await Run("topics", "tail", "depot.stock.events", "--partition", $"{wrong}");
        tail.Output.ShouldContain("discarded by Ada, ");
        tail.Output.ShouldContain(": a careless copy; readers pass it over");
        JsonObject json = (JsonObject)JsonNode.Parse(
            (await Lines("topics", "tail", "depot.stock.events", "--json", "--partition", $"{wrong}"))[0])!;
        json["discarded"]!["reason"]!.GetValue<string>().ShouldBe("a careless copy");
        (await Run("topics", "tail", "depot.stock.events", "--partition", $"{1 - wrong}")).Output.ShouldNotContain("discarded");
        (await Run("dead-letters", "list", "depot.stock", "--resolved")).Output.ShouldContain("discarded by Ada: a careless copy");
    }

    private async Task Produce(string topic, int partitions, params (string Key, string Value)[] records)
    {
        await CreateTopic(topic, partitions);
        await Append(topic, partitions, records);
    }

    private Task Append(string topic, params (string Key, string Value)[] records) => Append(topic, 1, records);

    // Record i goes to partition i modulo the partitions.
    private async Task Append(string topic, int partitions, (string Key, string Value)[] records)
    {
        using IProducer<string, string> producer = new ProducerBuilder<string, string>(
            new ProducerConfig { BootstrapServers = servers.Kafka }).Build();
        for (int i = 0; i < records.Length; i++)
        {
            var message = new Message<string, string>
            {
                Key = records[i].Key, Value = records[i].Value, Timestamp = TimeOf(i),
                Headers = new Headers { { "n", Encoding.UTF8.GetBytes(i.ToString(CultureInfo.InvariantCulture)) } },
            };
            await producer.ProduceAsync(new TopicPartition(topic, i % partitions), message, Cancellation);
        }
    }

    private async Task<string[]> Values(string topic, params string[] options) =>
        [.. (await Lines(["topics", "tail", topic, "--json", .. options])).Select(l => JsonNode.Parse(l)!["value"]!.GetValue<string>())];

    private async Task<string[]> Lines(params string[] arguments)
    {
        ProgramRun run = await Run(arguments);
        run.ExitCode.ShouldBe(0, run.Output);
        return run.Output.Split(System.Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
    }

    private ProgramRun Start(params string[] arguments) => ProgramRun.Start("dotnet", [Kes, .. arguments], Environment);

    private Task<ProgramRun> Run(params string[] arguments) =>
        ProgramRun.FinishAsync("dotnet", [Kes, .. arguments], Environment, Cancellation);

    [GeneratedRegex(@"Kafka\D*((?:127\.0\.0\.1|localhost):\d+)")]
    private static partial Regex KafkaLine();

    [GeneratedRegex(@"(http://\S+:\d+)")]
    private static partial Regex RegistryLine();

    /// <summary>One <c>kes up</c> for all tests of the class.</summary>
    public sealed class RunningServers : IAsyncLifetime
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("kes-cli-").FullName;
        private ProgramRun? _servers;

        public string Kafka { get; private set; } = "";

        public string Registry { get; private set; } = "";

        public async ValueTask InitializeAsync()
        {
            _servers = ProgramRun.Start("dotnet", [Kes, "up", "--kafka-port", "0", "--registry-port", "0", "--mongodb-port", "0", "--data",
                Path.Combine(_folder, "data")]);
            Kafka = (await _servers.WaitForLineAsync(KafkaLine(), CancellationToken.None)).Groups[1].Value;
            Registry = (await _servers.WaitForLineAsync(RegistryLine(), CancellationToken.None)).Groups[1].Value;
        }

        public async ValueTask DisposeAsync()
        {
            await _servers!.DisposeAsync();
            Directory.Delete(_folder, recursive: true);
        }
    }
}
