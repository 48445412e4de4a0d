using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Avro;
using Avro.Generic;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using Confluent.SchemaRegistry.Serdes;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Cli.Tests;

/// <summary><c>kes history</c>: from the log, and from a node.</summary>
public sealed class HistoryTests(RunningKes servers) : KesCommands(servers), IClassFixture<RunningKes>
{
    private const string Events = "shop.item.events";

    [Fact]
    public async Task History_without_a_node_is_that_of_the_log_and_says_so()
    {
        await CreateTopic(Events, partitions: 2);
        for (int i = 1; i <= 3; i++)
        {
            await Append("a", i, $"text {i}");
            await Append("b", i, "other");
        }

        await Append("a", 2, "under a version that is there already");
        ProgramRun run = await Run("history", "shop.item", "a");
        run.ExitCode.ShouldBe(0, run.Output);
        run.Output.ShouldContain($"The whole partition {PartitionOf("a")} of {Events} is read instead.");
        run.Output.ShouldContain("2  2026-03-02T00:00:00Z  shop.Note  c-2");
        run.Output.ShouldContain("{\"text\":\"text 2\"}");
        run.Output.ShouldNotContain("other");

        JsonNode[] shown = await Shown("a", "--from", "2");
        shown.Select(s => ((long)s["version"]!, (string?)s["event"]!["text"])).ShouldBe([(2, "text 2"), (3, "text 3")]);
        shown[0].AsObject().Select(p => p.Key).ShouldBe(["version", "time", "type", "commandId", "correlationId", "token", "event"]);
        (await Shown("a", "--limit", "1")).Single()["version"]!.GetValue<long>().ShouldBe(1);

        foreach ((string[] arguments, int code, string message) in ((string[], int, string)[])
        [
            (["shop.item", "nobody", "--node", "log"], 1, "There is no item 'nobody'."),
            (["shop.items", "a"], 1, "There is no aggregate type 'shop.items' at "),
            (["shop.item", "a", "--state"], 1, "States are folded by a node: start one, or name one with --node."),
            (["shop.item", "a", "--state", "--node", "log"], 2, "--state needs a node"),
            (["shop.item", "a", "--from", "0"], 2, "--from is 0; versions begin at 1."),
            (["shop.item", "a", "--node", "here"], 2, "--node is 'here'; it must be a URL"),
        ])
        {
            ProgramRun refused = await Run(["history", .. arguments]);
            refused.ExitCode.ShouldBe(code, refused.Output);
            refused.Output.ShouldContain(message);
        }
    }

    [Fact]
    public async Task History_of_a_node_is_read_page_by_page()
    {
        await CreateTopic("till.item.events", partitions: 1);
        using var node = new HttpListener();
        string address = Listen(node);
        const string First = """
            {"events":[{"version":1,"time":"t","type":"shop.Note","commandId":"c","correlationId":"o","token":"0@5","event":{"n":1},
              "state":{"sum":1}}],"next":"/item/a%2Fb/events?from=2&state=true"}
            """;
        const string Second = """
            {"events":[{"version":2,"time":"t","type":null,"commandId":"c","correlationId":"c","token":"0@9","event":null,
              "discarded":true}],"next":null}
            """;
        Task<List<string>> asked = Answer(node, 2, path => path.Contains("from=1&", StringComparison.Ordinal) ? First : Second);
        string[] lines = await Lines("history", "till.item", "a/b", "--state", "--node", address);
        lines.ShouldBe(["1  t  shop.Note  c  correlated with o", "  {\"n\":1}", "  state {\"sum\":1}",
            "2  t  (no event)  c  discarded by an operator: it does nothing"]);
        (await asked).ShouldBe(["/item/a%2Fb/events?from=1&limit=1000&state=true", "/item/a%2Fb/events?from=2&state=true"]);
    }

    private static string Listen(HttpListener node)
    {
        using (var free = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0))
        {
            free.Start();
            node.Prefixes.Add($"http://127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}/");
        }

        node.Start();
        return node.Prefixes.Single();
    }

    private static async Task<List<string>> Answer(HttpListener node, int requests, Func<string, string> answer)
    {
        var asked = new List<string>();
        while (asked.Count < requests)
        {
            HttpListenerContext context = await node.GetContextAsync().WaitAsync(Cancellation);
            asked.Add(context.Request.RawUrl!);
            await context.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(answer(asked[^1])), Cancellation);
            context.Response.Close();
        }

        return asked;
    }

    private static int PartitionOf(string id) => Murmur2.Partition(Encoding.UTF8.GetBytes(id), 2);

    private async Task<JsonNode[]> Shown(string id, params string[] options) =>
        [.. (await Lines(["history", "shop.item", id, "--node", "log", "--json", .. options])).Select(l => JsonNode.Parse(l)!)];

    private async Task Append(string id, int version, string text)
    {
        var schema = (RecordSchema)global::Avro.Schema.Parse(
            """{"type":"record","name":"Note","namespace":"shop","fields":[{"name":"text","type":"string"}]}""");
        var note = new GenericRecord(schema);
        note.Add("text", text);
        using var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = Servers.Registry });
        using IProducer<string, GenericRecord> producer = new ProducerBuilder<string, GenericRecord>(
            new ProducerConfig { BootstrapServers = Servers.Kafka })
            .SetValueSerializer(new AvroSerializer<GenericRecord>(registry)).Build();
        await producer.ProduceAsync(new TopicPartition(Events, PartitionOf(id)), new Message<string, GenericRecord>
        {
            Key = id,
            Value = note,
            Headers = new Headers
            {
                { "ce_sequence", Encoding.UTF8.GetBytes(version.ToString(CultureInfo.InvariantCulture)) },
                { "ce_time", Encoding.UTF8.GetBytes($"2026-03-0{version}T00:00:00Z") },
                { "ce_type", "shop.Note"u8.ToArray() },
                { "ce_causationid", Encoding.UTF8.GetBytes($"c-{version}") },
                { "ce_correlationid", Encoding.UTF8.GetBytes($"c-{version}") },
            },
        }, Cancellation);
    }
}
