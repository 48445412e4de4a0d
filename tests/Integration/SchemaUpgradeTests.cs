using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Verification;
using KafkaEventSourcing.Upgrade.After;
using KafkaEventSourcing.Upgrade.Before;
using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>A domain whose schemas change: a field is added, one is renamed, an enum gets a symbol, a type becomes a union.</summary>
public sealed class SchemaUpgradeTests(BankFixture bank)
{
    private const int Partitions = 2;

    private readonly string _name = Testing.TestServers.UniqueName("upgrade");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // A renamed field was 0 in every old event, and where it had no default 6,570 of 10,000 aggregates were parked.
    [Fact]
    public async Task Events_of_earlier_schemas_are_folded_projected_and_decided_on_by_later_ones()
    {
        string data = Path.Combine(bank.Servers.Folder, _name);
        await using (EventSourcedNode before = await Start(WalletBefore.Application(_name), data))
        {
            await Accepted(before, WalletBefore.Pay("a", 500, note: "rent"));
            await Accepted(before, WalletBefore.Pay("a", 300, inCash: true, note: "food"));
            await Accepted(before, WalletBefore.Refund("a", 50, note: "broken"));
            await Accepted(before, WalletBefore.Pay("b", 7));
            await before.WaitForReadModelsAsync(Cancellation);
        }

        // From the store and the snapshots, which have another state, then from what the first start made of them, then from nothing but
        // the topics.
        for (int start = 0; start < 3; start++)
        {
            await using (EventSourcedNode after = await Start(WalletAfter.Application(_name), data))
            {
                (await Parts(after, "a")).ShouldBe((750 + start, start, start == 0 ? "nobody" : "Ada"));
                (await Parts(after, "b")).ShouldBe((7, 0, "nobody"));
                (await after.SendAsync(WalletAfter.Pay("a", 251), Cancellation)).ShouldBeOfType<CommandResult.Rejected>().Rejection.Code
                    .ShouldBe("over-limit");
                await Accepted(after, WalletAfter.Pay("a", 1, byWire: true));
                await after.WaitForReadModelsAsync(Cancellation);
                (await Document(after, "totals", "a"))["total"].ToInt64().ShouldBe(751 + start);
                (await Document(after, "journal", "a"))["lines"].AsBsonArray.Select(l => l.AsString)
                    .ShouldBe(["500 Card rent nobody", "300 Cash food nobody", "-50 Card broken nobody",
                        .. Enumerable.Repeat("1 Wire - Ada", start + 1)]);
                (await new Verifier(after, after.Aggregates[0]).RunAsync(Cancellation)).Differences.ShouldBeEmpty();
            }

            if (start > 0)
                Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public async Task Node_of_earlier_code_beside_one_of_later_parks_what_it_cannot_read_until_later_code_has_it()
    {
        await using EventSourcedNode before = await Start(WalletBefore.Application(_name),
            Path.Combine(bank.Servers.Folder, _name, "before"));
        AggregateNode old = before.Aggregates[0];
        string afters = Path.Combine(bank.Servers.Folder, _name, "after");
        string[][] wallets = [.. Enumerable.Range(0, Partitions).Select(p =>
            Enumerable.Range(0, 100).Select(i => $"wallet-{i}").Where(id => DeadLetterDesk.PartitionOf(id) == p).Take(5).ToArray())];
        foreach (string wallet in wallets.SelectMany(p => p))
            await Accepted(before, WalletBefore.Pay(wallet, 100, note: "first"));
        string[] moved;
        string stays;
        await using (EventSourcedNode after = await Start(WalletAfter.Application(_name), afters))
        {
            int partition = await ServedBy(after);
            moved = wallets[partition];
            stays = wallets[1 - partition][0];

            // Commands of both cross the topic, each to code of the other.
            (await old.CommandTopic.SendAsync(WalletBefore.Refund(moved[1], 1, note: "read by both"),
                Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
            await Accepted(after, WalletAfter.Pay(moved[2], 1));
            await Accepted(after, WalletAfter.Refund(moved[3], 1, byWire: true, note: "a symbol that is new"));
            await Accepted(after, WalletAfter.Refund(moved[4], 1));
            (await Should.ThrowAsync<AggregateParkedException>(
                after.Aggregates[0].CommandTopic.SendAsync(WalletAfter.Pay(stays, 10), Cancellation))).Message.ShouldContain("Amount");
        }

        // The earlier code has all partitions, and takes what it can.
        foreach (string wallet in moved[..2])
            (await old.CommandTopic.SendAsync(WalletBefore.Pay(wallet, 10, note: "second"),
                Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        foreach (string wallet in moved[2..])
            (await Should.ThrowAsync<AggregateParkedException>(
                old.CommandTopic.SendAsync(WalletBefore.Pay(wallet, 10, note: "second"), Cancellation))).IsQueued.ShouldBeTrue();
        WalletBefore.Total((await old.Processor.ReadAsync(AggregateId.Parse(moved[0]), Cancellation))!.State).ShouldBe(110);
        WalletBefore.Total((await old.Processor.ReadAsync(AggregateId.Parse(moved[1]), Cancellation))!.State).ShouldBe(109);
        before.Completion.IsCompleted.ShouldBeFalse();
        await before.DisposeAsync();

        // The later code has them: nothing was lost, and the order is that of the log.
        await using EventSourcedNode last = await Start(WalletAfter.Application(_name), afters);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, _name, "wallet");
        (await Parts(last, moved[0])).ShouldBe((110, 0, "nobody"));
        (await Parts(last, moved[1])).ShouldBe((109, 0, "nobody"));
        (await Parts(last, moved[2])).ShouldBe((111, 0, "nobody"));
        (await Parts(last, moved[3])).ShouldBe((109, -1, "nobody"));
        (await Parts(last, moved[4])).ShouldBe((109, 0, "nobody"));
        desk.Letters().Select(l => l.AggregateId.Value).ShouldBe([stays]); // a command, which waits for an operator
        desk.Retry(stays).Outcome.ShouldBe(Avro.Messages.ReplyOutcome.Accepted);
        (await Parts(last, stays)).ShouldBe((110, 0, "Ada"));
        desk.Letters().ShouldBeEmpty();
        await last.WaitForReadModelsAsync(Cancellation);
        (await Document(last, "journal", moved[3]))["lines"].AsBsonArray.Select(l => l.AsString)
            .ShouldBe(["100 Card first nobody", "-1 Wire a symbol that is new Ada", "10 Card second nobody"]);
        (await new Verifier(last, last.Aggregates[0]).RunAsync(Cancellation)).Differences.ShouldBeEmpty();
    }

    private static async Task Accepted(EventSourcedNode node, CommandEnvelope command) =>
        (await node.SendAsync(command, Cancellation)).ShouldBeOfType<CommandResult.Accepted>();

    private static async Task<(long Total, long Wired, string? LastBy)> Parts(EventSourcedNode node, string wallet) =>
        WalletAfter.Parts((await node.Aggregates[0].Processor.ReadAsync(AggregateId.Parse(wallet), Cancellation))!.State);

    private static Task<BsonDocument> Document(EventSourcedNode node, string readModel, string wallet) =>
        node.ReadModels.GetCollection<BsonDocument>(readModel).Find(new BsonDocument("_id", wallet)).SingleAsync(Cancellation);

    /// <summary>The partition that <paramref name="node"/> gets from the other one, as soon as it serves it.</summary>
    private static async Task<int> ServedBy(EventSourcedNode node)
    {
        AggregateNode part = node.Aggregates[0];
        while (true)
        {
            long[] seen = [.. Enumerable.Range(0, Partitions).Select(p => part.Owners.Find(p)?.Generation ?? -1)];
            foreach (int partition in Enumerable.Range(0, Partitions))
            {
                if (part.Processor.CanRead(partition, ReadConsistency.Strong))
                    return partition;
            }

            await (await Task.WhenAny(seen.Select((generation, p) => part.Owners.AfterAsync(p, generation))).WaitAsync(Cancellation));
        }
    }

    private Task<EventSourcedNode> Start(ApplicationDefinition application, string data)
    {
        var options = new KafkaEventSourcingOptions
        {
            DataDirectory = data,
            Partitions = Partitions,
            BarrierEvents = 2,
            SessionTimeout = TimeSpan.FromSeconds(6),
        };
        return EventSourcedNode.StartAsync(application, bank.Servers.Addresses, options, NullLoggerFactory.Instance, TimeProvider.System,
            Cancellation);
    }
}
