using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Banking.Domain;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Processing;

namespace KafkaEventSourcing.Integration.Tests;

public sealed class ForwardingTests(BankFixture bank)
{
    private const int Partitions = 4;
    private const int Accounts = 12;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Any_node_takes_a_command_and_a_read_and_none_of_them_goes_by_the_topic()
    {
        await using BankNodes nodes = await TwoNodes();
        for (int i = 0; i < Accounts; i++)
        {
            await nodes.Running[0].Node.SendAsync(Movement.Open($"a{i}"), Cancellation);
            foreach (BankNode node in nodes.Running)
            {
                CommandEnvelope credit = Movement.Credit($"a{i}", 5, $"{node.Name}-{i}");
                CommandResult result = await node.Node.SendAsync(credit, Cancellation);
                result.ShouldBeOfType<CommandResult.Accepted>();
                foreach (BankNode other in nodes.Running)
                {
                    CommandResult again = await other.Node.SendAsync(credit, Cancellation);
                    again.ShouldBe(result with { IsDuplicate = true });
                    AggregateView view = (await other.Part.Reads.ReadAsync(AggregateId.Parse($"a{i}"), Cancellation))!;
                    (view.Version, ((AccountState)view.State).Balance).ShouldBe((result.Version, 5 * (result.Version - 1)));
                }
            }
        }

        // Every refusal comes back whole.
        foreach (BankNode node in nodes.Running)
        {
            var rejected = (await node.Node.SendAsync(Movement.Debit("a0", 500, $"{node.Name}-much"),
                Cancellation)).ShouldBeOfType<CommandResult.Rejected>();
            (rejected.Rejection.Code, rejected.Rejection.Details["amount"]).ShouldBe(("insufficient-funds", "500"));
            CommandEnvelope stale = Movement.Credit("a0", 5, $"{node.Name}-stale") with { ExpectedVersion = ExpectedVersion.Exactly(1) };
            (await node.Node.SendAsync(stale, Cancellation)).ShouldBeOfType<CommandResult.Conflict>().Expected.ShouldBe(
                ExpectedVersion.Exactly(1));
            (await node.Part.Reads.ReadAsync(AggregateId.Parse("nobody"), Cancellation)).ShouldBeNull();
            (await node.Part.Reads.ReadAsync(AggregateId.Parse("a0"), ReadConsistency.Eventual, Cancellation))!.Version.ShouldBe(3);
        }

        (await CommandsInTheTopic(nodes)).ShouldBe(0);
    }

    [Fact]
    public async Task Http_at_any_node_answers_as_at_the_owner()
    {
        await using BankNodes nodes = await TwoNodes();
        foreach (BankNode node in nodes.Running)
        {
            for (int i = 0; i < Accounts; i++)
            {
                string account = $"{node.Name}-ä{i}"; // beyond ASCII: it travels in a header
                await node.Node.SendAsync(Movement.Open(account), Cancellation);
                HttpRequestMessage request = CreditOf7(account);
                request.Headers.Add("Idempotency-Key", "once");
                HttpResponseMessage answer = await node.Http.SendAsync(request, Cancellation);
                answer.StatusCode.ShouldBe(HttpStatusCode.OK);
                JsonObject read = (await node.Http.GetFromJsonAsync<JsonObject>(
                    $"/account/{Uri.EscapeDataString(account)}?consistency=eventual", Cancellation))!;
                read["id"]!.GetValue<string>().ShouldBe(account);
                read["state"]!["balance"]!.GetValue<long>().ShouldBe(7);
            }
        }

        (await nodes.Running[0].Http.GetAsync("/account/a?consistency=perhaps", Cancellation)).StatusCode.ShouldBe(
            HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task Node_without_a_partition_is_ready_and_passes_everything_on()
    {
        await using var nodes = new BankNodes(bank.Servers, partitions: 1, TimeSpan.FromSeconds(20));
        await nodes.Start("one", isStatic: false, Cancellation);
        await nodes.Start("two", isStatic: false, Cancellation);
        IReadOnlyDictionary<int, string> owners = await nodes.AllServed(Cancellation);
        BankNode idle = nodes.Running.Single(n => n.Part.Processor.NodeId != owners[0]);
        idle.Node.IsReady.ShouldBeTrue();
        (await idle.Node.SendAsync(Movement.Open("a"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        (await idle.Part.Reads.ReadAsync(AggregateId.Parse("a"), Cancellation))!.Version.ShouldBe(1);
    }

    [Fact]
    public async Task Wrong_owner_answers_421_with_the_owner_and_never_passes_on()
    {
        await using BankNodes nodes = await TwoNodes();
        AggregateId id;
        HttpResponseMessage misdirected;
        do
        {
            // 503: on a busy machine a rebalance gives the node that is asked the partition for a moment, and it restores it.
            IReadOnlyDictionary<int, string> owners = await nodes.AllServing(Cancellation);
            id = Enumerable.Range(0, 100).Select(i => AggregateId.Parse($"a{i}")).First(a =>
                owners[nodes.Running[0].Part.Processor.PartitionOf(a)] == nodes.Running[1].Part.Processor.NodeId);
            misdirected = await Ask(nodes.Running[0], id, "node-x");
        }
        while (misdirected.StatusCode == HttpStatusCode.ServiceUnavailable);
        misdirected.StatusCode.ShouldBe(HttpStatusCode.MisdirectedRequest);
        misdirected.Headers.GetValues("Kes-Owner").Single().ShouldBe(nodes.Running[1].Part.Processor.NodeId);
        misdirected.Headers.GetValues("Kes-Owner-Address").Single().ShouldBe(nodes.Running[1].Address.AbsoluteUri);
        long.Parse(misdirected.Headers.GetValues("Kes-Owner-Generation").Single(), System.Globalization.CultureInfo.InvariantCulture)
            .ShouldBeGreaterThan(0);

        (await Ask(nodes.Running[1], id, "node-x")).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await Ask(nodes.Running[1], id, nodes.Running[1].Part.Processor.NodeId)).StatusCode.ShouldBe(HttpStatusCode.MisdirectedRequest);
        (await Ask(nodes.Running[1], id, null)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task Nodes_that_share_a_secret_answer_one_another_and_nobody_else()
    {
        const string secret = "0123456789abcdef";
        await using var nodes = new BankNodes(bank.Servers, Partitions, TimeSpan.FromSeconds(20));
        await nodes.Start("one", isStatic: false, Cancellation, secret: secret);
        await nodes.Start("two", isStatic: false, Cancellation, secret: secret);
        IReadOnlyDictionary<int, string> owners = await nodes.AllServing(Cancellation);
        for (int i = 0; i < Accounts; i++)
        {
            (await nodes.Running[i % 2].Node.SendAsync(Movement.Open($"a{i}"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
            (await nodes.Running[(i + 1) % 2].Part.Reads.ReadAsync(AggregateId.Parse($"a{i}"), Cancellation))!.Version.ShouldBe(1);
        }

        (await CommandsInTheTopic(nodes)).ShouldBe(0);
        AggregateId id = AccountOn(nodes.Running[0], owners);
        (await Ask(nodes.Running[0], id, "node-x")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await Ask(nodes.Running[0], id, "node-x", "Kes-Node 0123456789abcdeF")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await Ask(nodes.Running[0], id, "node-x", "Kes-Node 0123456789abcdef")).StatusCode.ShouldBeOneOf(HttpStatusCode.OK,
            HttpStatusCode.NoContent);

        // A node that does not know the secret is refused by the others: its commands take the topic, its reads say what to do.
        await using var stranger = new BankNodes(bank.Servers, Partitions, TimeSpan.FromSeconds(20)) { Application = nodes.Application };
        BankNode third = await stranger.Start("three", isStatic: false, Cancellation, secret: "another-secret-of-a-node");
        AggregateId elsewhere = AccountOn(nodes.Running[0], await Settled(nodes, third));
        // not open, which the owner alone knows
        (await third.Node.SendAsync(Movement.Credit(elsewhere.Value, 1, "stranger"),
            Cancellation)).ShouldBeOfType<CommandResult.Rejected>();
        (await CommandsInTheTopic(nodes)).ShouldBeGreaterThan(0);
        (await Should.ThrowAsync<AggregateUnavailableException>(async () =>
            await third.Part.Reads.ReadAsync(elsewhere, Cancellation))).Message.ShouldContain("--node-secret");
        NodeSecret.Parse(secret).ToString().ShouldNotContain("0123");
    }

    [Theory]
    [InlineData("")]
    [InlineData("fifteen-letters")]
    [InlineData("sixteen letters!")]
    [InlineData("sixteen-lettérs!")]
    public void Secret_that_no_header_can_carry_or_that_is_too_short_is_refused_without_repeating_it(string secret)
    {
        InvalidInputException refused = Should.Throw<InvalidInputException>(() => NodeSecret.Parse(secret));
        refused.Field.ShouldBe("NodeSecret");
        if (secret.Length > 0)
            refused.Message.ShouldNotContain(secret);
    }

    [Fact]
    public async Task Parked_aggregate_is_told_as_such_by_every_node()
    {
        await using BankNodes nodes = await TwoNodes(partitions: 2);
        IReadOnlyDictionary<int, string> owners = await nodes.AllServed(Cancellation);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, nodes.Application.Name);
        string account = AccountOn(nodes.Running[0], owners).Value;
        await nodes.Running[0].Node.SendAsync(Movement.Open(account), Cancellation);
        await desk.Produce(account, "not avro"u8.ToArray());
        // behind it in the topic
        await Should.ThrowAsync<AggregateParkedException>(
            nodes.Running[0].Part.CommandTopic.SendAsync(Movement.Credit(account, 1), Cancellation));

        foreach (BankNode node in nodes.Running)
        {
            AggregateParkedException told = await Should.ThrowAsync<AggregateParkedException>(
                node.Node.SendAsync(Movement.Credit(account, 5), Cancellation));
            (told.AggregateId.Value, told.Cause, told.IsQueued).ShouldBe((account, "not-avro", false));
            HttpResponseMessage answer = await node.Http.SendAsync(CreditOf7(account), Cancellation);
            answer.StatusCode.ShouldBe(HttpStatusCode.Locked);
            (await answer.Content.ReadFromJsonAsync<JsonObject>(Cancellation))!["cause"]!.GetValue<string>().ShouldBe("not-avro");
            (await node.Part.Reads.ReadAsync(AggregateId.Parse(account), Cancellation))!.Version.ShouldBe(1); // its state is known
        }

        desk.Discard(account).Outcome.ShouldBe(Avro.Messages.ReplyOutcome.Accepted);
        (await nodes.Running[1].Node.SendAsync(Movement.Credit(account, 5), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
    }

    [Fact]
    public async Task Owner_that_cannot_be_reached_is_replaced_by_the_topic_for_commands()
    {
        await using BankNodes nodes = await TwoNodes();
        await nodes.AllServed(Cancellation);
        for (int i = 0; i < Accounts; i++)
            await nodes.Running[0].Node.SendAsync(Movement.Open($"a{i}"), Cancellation);
        using (var nobody = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0))
        {
            nobody.Start();
            var gone = new Uri($"http://127.0.0.1:{((IPEndPoint)nobody.LocalEndpoint).Port}");
            nobody.Stop();
            nodes.Running[1].Node.Advertise(gone);
            foreach (int partition in nodes.Running[1].Part.Processor.Partitions.Keys)
            {
                PartitionOwnership owner = nodes.Running[0].Part.Owners.Find(partition)!;
                while (owner.Address != gone)
                    owner = await nodes.Running[0].Part.Owners.AfterAsync(partition, owner.Generation).WaitAsync(Cancellation);
            }
        }

        for (int i = 0; i < Accounts; i++)
            (await nodes.Running[0].Node.SendAsync(Movement.Credit($"a{i}", 5, $"m{i}"),
                Cancellation)).ShouldBeOfType<CommandResult.Accepted>().Version.ShouldBe(2);
        (await CommandsInTheTopic(nodes)).ShouldBeGreaterThan(0);
    }

    private static AggregateId AccountOn(BankNode node, IReadOnlyDictionary<int, string> owners) =>
        Enumerable.Range(0, 100).Select(i => AggregateId.Parse($"x{i}")).First(a =>
            owners[node.Part.Processor.PartitionOf(a)] == node.Part.Processor.NodeId);

    // Once the third node has partitions too, as all see it.
    private static async Task<IReadOnlyDictionary<int, string>> Settled(BankNodes nodes, BankNode third)
    {
        OwnerDirectory directory = third.Part.Owners;
        while (true)
        {
            long[] seen = [.. Enumerable.Range(0, Partitions).Select(p => directory.Find(p)?.Generation ?? -1)];
            PartitionOwnership?[] owners = [.. Enumerable.Range(0, Partitions).Select(directory.Find)];
            if (owners.All(o => o is { Status: Avro.Messages.OwnerStatus.Serving, Address: not null })
                && owners.Select(o => o!.Node).Distinct().Count() == nodes.Running.Count + 1)
                return owners.ToDictionary(o => o!.Partition, o => o!.Node);
            await (await Task.WhenAny(seen.Select((generation, p) => directory.AfterAsync(p, generation))).WaitAsync(Cancellation));
        }
    }

    private static HttpRequestMessage CreditOf7(string account) => new(HttpMethod.Post, $"/account/{Uri.EscapeDataString(account)}/credit")
    {
        Content = JsonContent.Create(new
        {
            amount = 7,
            currency = "EUR",
            bookedOn = "2026-05-01",
            operation = "CashDeposit",
            category = "None"
        }),
    };

    private static Task<HttpResponseMessage> Ask(BankNode node, AggregateId id, string? by, string? authorization = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "/_node/account/state");
        request.Headers.Add("ce-subject", id.Value);
        request.Headers.Add("kes-consistency", "Strong");
        if (by is not null)
            request.Headers.Add("Kes-Forwarded-By", by);
        if (authorization is not null)
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        return node.Http.SendAsync(request, Cancellation);
    }

    private async Task<BankNodes> TwoNodes(int partitions = Partitions)
    {
        var nodes = new BankNodes(bank.Servers, partitions, TimeSpan.FromSeconds(20));
        await nodes.Start("one", isStatic: false, Cancellation);
        await nodes.Start("two", isStatic: false, Cancellation);
        await nodes.AllServing(Cancellation);
        return nodes;
    }

    private async Task<long> CommandsInTheTopic(BankNodes nodes)
    {
        var config = new Confluent.Kafka.ConsumerConfig { BootstrapServers = bank.Servers.Addresses.Kafka, GroupId = "ends" };
        using Confluent.Kafka.IConsumer<byte[], byte[]> consumer = new Confluent.Kafka.ConsumerBuilder<byte[], byte[]>(config).Build();
        return await Task.Run(() =>
            Enumerable.Range(0, Partitions).Sum(p =>
                consumer.QueryWatermarkOffsets(new(nodes.Running[0].Part.Topics.Commands, p), TimeSpan.FromSeconds(15)).High.Value),
                Cancellation);
    }
}
