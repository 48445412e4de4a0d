using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using KafkaEventSourcing.Embedded.Kafka;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Health;
using KafkaEventSourcing.Hosting.Http;
using KafkaEventSourcing.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Driver;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>What a node says of itself while its servers are not as they should be.</summary>
public sealed class ReadinessTests(BankFixture bank)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    private readonly string _folder = Path.Combine(bank.Servers.Folder, TestServers.UniqueName("ready"));

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // It was 200 Healthy while every command waited for its time-out.
    [Fact]
    public async Task Ready_while_Kafka_stands_still_is_503_with_the_reason_and_200_again_afterwards()
    {
        await using var proxy = new TcpProxy(TimeProvider.System);
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(
            new EmbeddedKafkaOptions { DataDirectory = Path.Combine(_folder, "kafka"), AdvertisedPort = proxy.Port },
            NullLoggerFactory.Instance, cancellationToken: Cancellation);
        proxy.Target = IPEndPoint.Parse(kafka.BootstrapServers);
        await using BankNode node = await Start(bank.Servers.Addresses with { Kafka = $"127.0.0.1:{proxy.Port}" });
        (await Ready(node, HttpStatusCode.OK))["status"]!.GetValue<string>().ShouldBe("ready");

        proxy.Line().Stall();
        JsonNode report = await Ready(node, HttpStatusCode.ServiceUnavailable);
        report["status"]!.GetValue<string>().ShouldBe("not-ready");
        report["checks"]!["kafka"]!["status"]!.GetValue<string>().ShouldBe("failing");
        report["checks"]!["kafka"]!["reason"]!.GetValue<string>().ShouldContain("has not answered for");
        (await node.Http.GetAsync("/health/live", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);

        proxy.Line().Mend();
        await Ready(node, HttpStatusCode.OK);
        (await node.Node.SendAsync(Movement.Open("a"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
    }

    // Two thirds of all aggregates were parked, and the node was Healthy without a word.
    [Fact]
    public async Task Parked_aggregates_make_a_node_degraded_and_are_counted()
    {
        await using BankNode node = await Start(bank.Servers.Addresses);
        foreach (string account in (string[])["a", "b", "c"])
            await node.Node.SendAsync(Movement.Open(account), Cancellation);
        (await Ready(node, HttpStatusCode.OK))["checks"]!["parked"]!["status"]!.GetValue<string>().ShouldBe("ok");
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, node.Node.Application.Name);
        foreach (string account in (string[])["a", "b"])
        {
            await desk.Produce(account, "not avro"u8.ToArray());
            await Should.ThrowAsync<AggregateParkedException>(node.Part.CommandTopic.SendAsync(Movement.Credit(account, 1), Cancellation));
        }

        JsonNode report = await Ready(node, HttpStatusCode.OK);
        report["status"]!.GetValue<string>().ShouldBe("degraded");
        report["checks"]!["parked"]!["reason"]!.GetValue<string>().ShouldStartWith("2 of 3 aggregates 'account' of this node are parked.");
    }

    // A node without MongoDB had no HTTP interface at all, and decided nothing.
    [Fact]
    public async Task MongoDB_that_is_away_at_the_start_keeps_read_models_only_and_they_follow_when_it_comes()
    {
        MongoUrl mongo = MongoUrl.Create(bank.Servers.Addresses.MongoDB!);
        await using var proxy = new TcpProxy(TimeProvider.System);
        await using BankNode node = await Start(bank.Servers.Addresses with
        {
            MongoDB = $"mongodb://127.0.0.1:{proxy.Port}/?directConnection=true",
        });
        (await node.Node.SendAsync(Movement.Open("a"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        JsonNode report = await Ready(node, HttpStatusCode.OK);
        report["status"]!.GetValue<string>().ShouldBe("degraded");
        report["checks"]!["mongodb"]!["status"]!.GetValue<string>().ShouldBe("degraded");
        report["checks"]!["read-models"]!["reason"]!.GetValue<string>().ShouldContain("MongoDB has not answered yet");

        proxy.Target = new IPEndPoint((await Dns.GetHostAddressesAsync(mongo.Server.Host, System.Net.Sockets.AddressFamily.InterNetwork,
            Cancellation))[0], mongo.Server.Port);
        await node.Node.WaitForReadModelsAsync(Cancellation);
        (await node.Http.GetAsync("/models/accounts/a", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        node.Node.Checks.Single(c => c.Name == "read-models").Look().ShouldBe(CheckResult.Ok);
    }

    private static async Task<JsonNode> Ready(BankNode node, HttpStatusCode status)
    {
        using var timer = new PeriodicTimer(Look, TimeProvider.System);
        while (true)
        {
            using HttpResponseMessage answer = await node.Http.GetAsync("/health/ready", Cancellation);
            if (answer.StatusCode == status)
                return (await answer.Content.ReadFromJsonAsync<JsonNode>(Cancellation))!;
            await timer.WaitForNextTickAsync(Cancellation);
        }
    }

    private async Task<BankNode> Start(ServerAddresses addresses)
    {
        var options = new KafkaEventSourcingOptions
        {
            DataDirectory = Path.Combine(_folder, "node"),
            Partitions = 1,
            BrokerSilence = TimeSpan.FromSeconds(3),
        };
        EventSourcedNode node = await EventSourcedNode.StartAsync(BankFixture.NewBank(), addresses, options, NullLoggerFactory.Instance,
            TimeProvider.System, Cancellation);
        WebApplication web = HttpInterface.Create(node, new HttpOptions { Port = 0 }, NullLoggerFactory.Instance, TimeProvider.System);
        await web.StartAsync(Cancellation);
        return new BankNode("one", node, web);
    }
}
