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

/// <summary><c>kes topics tail</c>.</summary>
public sealed class TailTests(RunningKes servers) : KesCommands(servers), IClassFixture<RunningKes>
{
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
            new ProducerConfig { BootstrapServers = Servers.Kafka }).Build())
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
        using var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = Servers.Registry });
        var schema = (RecordSchema)global::Avro.Schema.Parse(
            """{"type":"record","name":"Note","namespace":"shop","fields":[{"name":"text","type":["null","string"]},{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"day","type":{"type":"int","logicalType":"date"}}]}""");
        var note = new GenericRecord(schema);
        note.Add("text", "hello");
        note.Add("at", new DateTime(2026, 3, 1, 0, 0, 0, DateTimeKind.Utc));
        note.Add("day", new DateTime(2026, 3, 2, 0, 0, 0, DateTimeKind.Utc));
        using (IProducer<Null, GenericRecord> producer = new ProducerBuilder<Null, GenericRecord>(new ProducerConfig
        {
            BootstrapServers = Servers.Kafka,
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
        using var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = Servers.Registry });
        const string Node =
            """{"type":"record","name":"Node","namespace":"shop","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","Node"]}]}""";
        Confluent.SchemaRegistry.RegisteredSchema schema = await registry.RegisterSchemaWithResponseAsync("guids-value",
            new Confluent.SchemaRegistry.Schema(Node, SchemaType.Avro));
        using (IProducer<Null, byte[]> producer = new ProducerBuilder<Null, byte[]>(
            new ProducerConfig { BootstrapServers = Servers.Kafka }).Build())
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

    // A file stream keeps a position of its own: what came before or after it was overwritten.
    [Fact]
    public async Task Tail_writes_behind_what_others_have_written_to_the_same_file()
    {
        await Produce("shared", partitions: 1, ("k", "one"));
        string file = Path.Combine(Folder, "shared.txt");
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

    private static Regex ValueLine(string value) => new($"\"value\":\"{value}\"");
}
