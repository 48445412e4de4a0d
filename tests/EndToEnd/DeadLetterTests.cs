using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>
/// A bank that gets a record which nobody can read, and the operator with <c>kes dead-letters</c>. <c>KES_LETTER_KILLS</c> has it killed
/// more often.
/// </summary>
public sealed partial class DeadLetterTests : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kes-letters-").FullName;
    private readonly HttpClient _http = new();
    private Uri _serves = null!;
    private ProgramRun? _bank;
    private string _kafka = "";
    private string _registry = "";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // With an id the node takes its place in the group back when it is started again; without, the group waits for the session time-out of
    // the one that was killed, 20 s.
    private async Task StartBank()
    {
        _bank = ProgramRun.Start("dotnet",
        [
            Programs.Bank, "run", "--http-port", "0", "--kafka-port", "0", "--registry-port", "0", "--mongodb-port", "0", "--partitions",
            "2", "--node-id", "teller", "--data", Path.Combine(_folder, "data"),
        ]);
        _serves = new Uri((await _bank.WaitForLineAsync(ServesLine(), Cancellation)).Groups[1].Value);
        Match servers = await _bank.WaitForLineAsync(ServersLine(), Cancellation);
        (_kafka, _registry) = (servers.Groups[1].Value, servers.Groups[2].Value);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        if (_bank is not null)
            await _bank.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Poison_is_listed_shown_retried_and_discarded_and_the_account_serves_again()
    {
        await StartBank();
        await Post("a", "open-account", """{"owner":"Ada","currency":"EUR","overdraftLimit":0,"openedOn":"2026-01-31"}""",
            HttpStatusCode.OK);
        (await Kes("dead-letters", "list")).Output.ShouldContain("No dead letters.");
        await Poison("a");
        await WaitUntilParked("a");

        JsonObject refused = await Post("a", "credit", Credit(5), HttpStatusCode.Locked);
        (refused["code"]!.GetValue<string>(), refused["cause"]!.GetValue<string>(), refused["queued"]!.GetValue<bool>(),
            refused["aggregateId"]!.GetValue<string>())
            .ShouldBe(("aggregate-parked", "not-avro", false, "a"));
        refused["detail"]!.GetValue<string>().ShouldContain("kes dead-letters list bank.account");
        (await _http.GetAsync(At("account/a"), Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await _http.GetAsync(At("health/ready"), Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        string metrics = await _http.GetStringAsync(At("metrics"), Cancellation);
        Regex.Matches(metrics, @"(?m)^kes_parked_records\{[^}]*\} (\d+)").Sum(m =>
            int.Parse(m.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture)).ShouldBe(1);

        ProgramRun list = await Kes("dead-letters", "list", "bank.account", "--aggregate", "a");
        list.ExitCode.ShouldBe(0, list.Output);
        list.Output.ShouldContain("not-avro");
        string letter = Letter().Match(list.Output).Value.Trim();
        JsonObject json = (JsonObject)JsonNode.Parse((await Kes("dead-letters", "list", "--json")).Output.Trim())!;
        ($"{json["partition"]}@{json["offset"]}", json["aggregateId"]!.GetValue<string>(),
            json["originTopic"]!.GetValue<string>()).ShouldBe((letter, "a", "bank.account.commands"));

        ProgramRun show = await Kes("dead-letters", "show", "bank.account", letter);
        show.ExitCode.ShouldBe(0, show.Output);
        foreach (string told in (string[])["bank.account.commands", "not-avro", "hello, bank", "x-own: kept"])
            show.Output.ShouldContain(told);

        ProgramRun retry = await Kes("dead-letters", "retry", "bank.account", "--aggregate", "a");
        retry.ExitCode.ShouldBe(1);
        retry.Output.ShouldContain("parked still");
        ProgramRun discard = await Kes("dead-letters", "discard", "bank.account", "--letter", letter, "--reason", "a test of the teller's",
            "--by", "Ada");
        discard.ExitCode.ShouldBe(0, discard.Output);
        discard.Output.ShouldContain("a: 1 resolved, 0 left.");

        await Post("a", "credit", Credit(5), HttpStatusCode.OK);
        ProgramRun[] after = await Task.WhenAll(
            Kes("dead-letters", "list", "--resolved"), Kes("dead-letters", "list"), Kes("dead-letters", "retry", "bank.account", "--all"),
            Kes("dead-letters", "list", "bank.acount"), Kes("dead-letters", "show", "bank.account", "0@99"));
        foreach ((ProgramRun run, int exitCode, string told) in after.Zip(
            [0, 0, 1, 1, 1],
            (string[])["discarded by Ada: a test of the teller's", "No dead letters.", "No such letter waits", "bank.account",
                "There is no dead letter 0@99"]))
            (run.ExitCode, run.Output.Contains(told, StringComparison.Ordinal)).ShouldBe((exitCode, true), run.Output);
    }

    // It is told before anybody is asked: no server is there.
    [Theory]
    [InlineData(2, "PARTITION@OFFSET", "dead-letters", "show", "bank.account", "99")]
    [InlineData(2, "--aggregate ID, or --all", "dead-letters", "retry", "bank.account")]
    [InlineData(2, "--reason", "dead-letters", "discard", "bank.account", "--aggregate", "a")]
    [InlineData(2, "--letter PARTITION@OFFSET", "dead-letters", "discard", "bank.account", "--reason", "x")]
    public async Task Wrong_usage_says_what_is_wrong(int exitCode, string told, params string[] arguments)
    {
        (_kafka, _registry) = ("127.0.0.1:9", "http://127.0.0.1:9");
        ProgramRun run = await Kes(arguments);
        run.Output.ShouldContain(told);
        run.ExitCode.ShouldBe(exitCode, run.Output);
    }

    // Milliseconds; the first is in the middle of the work as a rule, the others are spread over it.
    public static TheoryData<int> Moments =>
        new(Enumerable.Range(0,
            int.TryParse(Environment.GetEnvironmentVariable("KES_LETTER_KILLS"), CultureInfo.InvariantCulture, out int kills) ? kills : 1)
            .Select(i => (15 + 25 * i) % 80));

    // Everything is killed, Kafka too, at some moment behind the request: it is in the log, and what was under way is done once or not at
    // all.
    [Theory]
    [MemberData(nameof(Moments))]
    public async Task Killed_while_letters_are_retried_none_is_lost_or_doubled(int milliseconds)
    {
        const int queued = 200;
        await StartBank();
        await Post("a", "open-account", """{"owner":"Ada","currency":"EUR","overdraftLimit":0,"openedOn":"2026-01-31"}""",
            HttpStatusCode.OK);
        await Poison("a");
        long letter = await WaitUntilParked("a");
        var topics = new TopicFamily("bank", "account");
        await using (TopicDoor door = await TopicDoor.Open(_kafka, _registry))
            await Task.WhenAll(Enumerable.Range(0, queued).Select(async i =>
                (await Should.ThrowAsync<AggregateParkedException>(door.Client.SendAsync(CreditOf1($"c{i}"), Cancellation))).IsQueued
                    .ShouldBeTrue()));

        ProgramRun discard = await Kes("dead-letters", "discard", "bank.account", "--letter", $"{PartitionOf("a")}@{letter}", "--reason",
            "a test of the killer's");
        discard.ExitCode.ShouldBe(0, discard.Output);
        discard.Output.ShouldContain($"{queued} left");
        using (IProducer<byte[]?, byte[]?> producer = new ProducerBuilder<byte[]?, byte[]?>(
            new ProducerConfig { BootstrapServers = _kafka, LingerMs = 0 }).Build())
        {
            var request = new DeadLetterRequest(IsDiscard: false, null, "Ada", null);
            await producer.ProduceAsync(new TopicPartition(topics.Commands, PartitionOf("a")),
                request.ToMessage(AggregateId.Parse("a"), CommandId.Parse("retry"), "0/killer"), Cancellation);
        }

        await Task.Delay(TimeSpan.FromMilliseconds(milliseconds), TimeProvider.System, Cancellation);
        await _bank!.KillAsync(Cancellation);
        await _bank.DisposeAsync();
        await StartBank();

        // By the command topic, where it is behind the request: the account serves again when that has been done.
        await using (TopicDoor door = await TopicDoor.Open(_kafka, _registry))
            (await door.Client.SendAsync(CreditOf1("last"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        JsonNode account = JsonNode.Parse(await _http.GetStringAsync(At("account/a"), Cancellation))!;
        (account["version"]!.GetValue<long>(), account["state"]!["balance"]!.GetValue<long>()).ShouldBe((1 + queued + 1, queued + 1));
        foreach (int i in (int[])[0, queued / 2, queued - 1])
        {
            using HttpResponseMessage again = await Send("a", $"c{i}");
            JsonNode told = JsonNode.Parse(await again.Content.ReadAsStringAsync(Cancellation))!;
            (told["duplicate"]!.GetValue<bool>(), told["version"]!.GetValue<long>()).ShouldBe((true, i + 2L));
        }

        (await Kes("dead-letters", "list")).Output.ShouldContain("No dead letters.");
    }

    private sealed class TopicDoor(CachedSchemaRegistryClient registry, CommandClient client) : IAsyncDisposable
    {
        public CommandClient Client => client;

        public static async Task<TopicDoor> Open(string kafka, string registryUrl)
        {
            var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = registryUrl });
            CommandClient client = await CommandClient.StartAsync(
                new KafkaConnection { BootstrapServers = kafka }, new TopicFamily("bank", "account"),
                AvroMessageSerde.Create(registry, [AvroRecordType.Of<Banking.Domain.Credit>()]), [typeof(Banking.Domain.Credit)],
                new CommandClientOptions { Timeout = TimeSpan.FromMinutes(2) }, TimeProvider.System, NullLoggerFactory.Instance,
                Cancellation);
            return new TopicDoor(registry, client);
        }

        public async ValueTask DisposeAsync()
        {
            await client.DisposeAsync();
            registry.Dispose();
        }
    }

    private static CommandEnvelope CreditOf1(string id) => new(AggregateId.Parse("a"), CommandId.Parse(id), new Banking.Domain.Credit
    {
        Amount = 1, Currency = "EUR", BookedOn = new DateOnly(2026, 2, 1), Operation = Banking.Domain.Operation.CashDeposit,
        Category = Banking.Domain.Category.None,
    });

    private static int PartitionOf(string account) => Murmur2.Partition(Encoding.UTF8.GetBytes(account), 2);

    private static string Credit(int amount) =>
        $$"""{"amount":{{amount}},"currency":"EUR","bookedOn":"2026-02-01","operation":"CashDeposit","category":"None"}""";

    private Uri At(string path) => new(_serves, path);

    private Task<HttpResponseMessage> Send(string account, string id)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, At($"account/{account}/credit"))
        {
            Content = new StringContent(Credit(1), Encoding.UTF8, "application/json"),
        };
        request.Headers.Add("Idempotency-Key", id);
        return _http.SendAsync(request, Cancellation);
    }

    private async Task<JsonObject> Post(string account, string command, string body, HttpStatusCode expected)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        HttpResponseMessage answer = await _http.PostAsync(At($"account/{account}/{command}"), content, Cancellation);
        string text = await answer.Content.ReadAsStringAsync(Cancellation);
        answer.StatusCode.ShouldBe(expected, text);
        return (JsonObject)JsonNode.Parse(text)!;
    }

    private async Task Poison(string account)
    {
        using IProducer<byte[], byte[]> producer =
            new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = _kafka }).Build();
        byte[] key = Encoding.UTF8.GetBytes(account);
        await producer.ProduceAsync(new TopicPartition("bank.account.commands", PartitionOf(account)),
            new Message<byte[], byte[]>
            {
                Key = key,
                Value = "hello, bank"u8.ToArray(),
                Headers = new Headers { { "x-own", "kept"u8.ToArray() } },
            }, Cancellation);
    }

    // Its letter is written in the transaction that takes its offset.
    private async Task<long> WaitUntilParked(string account)
    {
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(
            new ConsumerConfig { BootstrapServers = _kafka, GroupId = "test" }).Build();
        consumer.Assign(new TopicPartitionOffset("bank.account.dead-letters", PartitionOf(account), Offset.Beginning));
        return (await Task.Run(() => consumer.Consume(Cancellation), Cancellation)).Offset.Value;
    }

    private Task<ProgramRun> Kes(params string[] arguments) =>
        ProgramRun.FinishAsync("dotnet", [Programs.Kes, .. arguments],
            new Dictionary<string, string> { ["KES_KAFKA"] = _kafka, ["KES_REGISTRY"] = _registry }, Cancellation);

    [GeneratedRegex(@"serves at (http://\S+:\d+)")]
    private static partial Regex ServesLine();

    [GeneratedRegex(@"Kafka (\S+), Schema Registry (\S+), MongoDB")]
    private static partial Regex ServersLine();

    [GeneratedRegex(@"(?m)^ *\d+@\d+")]
    private static partial Regex Letter();
}
