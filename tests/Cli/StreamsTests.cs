using System.Text.Json.Nodes;
using Confluent.Kafka;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Cli.Tests;

public sealed class StreamsTests(RunningKes servers) : KesCommands(servers), IClassFixture<RunningKes>
{
    [Fact]
    public async Task Streams_are_listed_described_and_begin_again_when_nobody_runs_them()
    {
        await Produce("shop.item.events", 2, ("a", "1"), ("b", "2"), ("c", "3"));
        await Produce("shop-streams-item-snapshots-changelog", 2, ("a", "1"), ("b", "2"));
        await Produce("shop-streams-sums-repartition", 1, ("x", "1"));
        await Produce("shop-streams.item.item-added", 2, ("a", "1"));
        // of other streams, whose name begins with that of these
        await Produce("shop-streams-two-item-snapshots-changelog", 1, ("z", "1"));
        Commit("shop-streams", new("shop.item.events", 0, 1), new("shop.item.events", 1, 1), new("shop-streams-sums-repartition", 0, 1));
        // A consumer that is called as the application: nothing of it is derived.
        Commit("shop", new TopicPartitionOffset("shop.item.events", 0, 0));
        Commit("shop-streams-two", new TopicPartitionOffset("shop.item.events", 0, 0));

        JsonNode[] listed = await ShopStreams();
        listed.Select(l => (l["streams"]!.GetValue<string>(), l["members"]!.GetValue<int>(), l["lag"]!.GetValue<long>())).ShouldBe(
            [("shop-streams", 0, 1), ("shop-streams-two", 0, 3)]);
        listed[0]["changelogs"]!.ToJsonString().ShouldBe("[\"shop-streams-item-snapshots-changelog\"]");
        listed[0]["derived"]!.ToJsonString().ShouldBe("[\"shop-streams.item.item-added\"]");
        (await Lines("streams", "list")).Count(l => l.StartsWith("shop", StringComparison.Ordinal)).ShouldBe(2);

        string[] described = await Lines("streams", "describe", "shop-streams");
        described[0].ShouldBe("shop-streams: nobody runs them.");
        described.ShouldContain(l => l.StartsWith("shop.item.events", StringComparison.Ordinal)
            && l.EndsWith("1             2             1", StringComparison.Ordinal));
        described.ShouldContain(l => l.StartsWith("shop-streams.item.item-added", StringComparison.Ordinal)
            && l.Contains("derived", StringComparison.Ordinal));

        ProgramRun application = await Run("streams", "reset", "shop", "--yes");
        application.ExitCode.ShouldBe(1, application.Output);
        application.Output.ShouldContain("There are no streams 'shop' at ");

        string[] plan = await Lines("streams", "reset", "shop-streams");
        plan[^1].ShouldBe("Nothing is done yet: give --yes.");
        plan.ShouldContain("set the position in shop.item.events, partition 0: 1 -> 0");
        (await Values("shop-streams.item.item-added", "--from", "beginning")).ShouldBe(["1"]);

        string[] done = await Lines("streams", "reset", "shop-streams", "--yes");
        done[^1].ShouldBe("Done: 3 positions are set, 3 topics are empty.");
        done.ShouldContain(l => l.Contains("delete the folder streams/shop-streams below the data folder", StringComparison.Ordinal));
        foreach (string emptied in (string[])["shop-streams-item-snapshots-changelog", "shop-streams-sums-repartition",
            "shop-streams.item.item-added"])
            (await Values(emptied, "--from", "beginning")).ShouldBeEmpty();
        (await Lines("topics", "describe", "shop-streams.item.item-added")).ShouldContain("retention.ms = -1");
        (await Values("shop.item.events", "--from", "beginning")).Length.ShouldBe(3);
        (await Values("shop-streams-two-item-snapshots-changelog", "--from", "beginning")).ShouldBe(["1"]);
        listed = await ShopStreams();
        listed.Select(l => l["lag"]!.GetValue<long>()).ShouldBe([3, 3]);
    }

    [Fact]
    public async Task Reset_beside_a_member_is_refused_and_names_it()
    {
        await Produce("till.item.events", 1, ("a", "1"));
        await Produce("till-streams.item.item-added", 1, ("a", "1"));
        using IConsumer<byte[], byte[]> member = Member("till-streams", "till-1");
        member.Subscribe("till.item.events");
        member.Consume(Cancellation).Message.ShouldNotBeNull();

        ProgramRun refused = await Run("streams", "reset", "till-streams", "--yes");
        refused.ExitCode.ShouldBe(1, refused.Output);
        refused.Output.ShouldContain("1 process runs till-streams (till-1 at ");
        (await Values("till-streams.item.item-added", "--from", "beginning")).ShouldBe(["1"]);
        member.Close();
    }

    [Fact]
    public async Task Streams_that_are_not_there_are_told_with_those_that_are()
    {
        ProgramRun unknown = await Run("streams", "describe", "nowhere");
        unknown.ExitCode.ShouldBe(1, unknown.Output);
        unknown.Output.ShouldContain("There are no streams 'nowhere' at ");
    }

    // The tests of this class share their servers, and come in any order: streams of others may be there.
    private async Task<JsonNode[]> ShopStreams() =>
        [.. (await Lines("streams", "list", "--json")).Select(l => JsonNode.Parse(l)!)
            .Where(l => l["streams"]!.GetValue<string>().StartsWith("shop", StringComparison.Ordinal))];

    private IConsumer<byte[], byte[]> Member(string group, string client) => new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
    {
        BootstrapServers = Servers.Kafka, GroupId = group, ClientId = client, AutoOffsetReset = AutoOffsetReset.Earliest,
        EnableAutoCommit = false,
    }).Build();

    private void Commit(string group, params TopicPartitionOffset[] offsets)
    {
        using IConsumer<byte[], byte[]> committing = Member(group, "test");
        committing.Commit(offsets);
    }
}
