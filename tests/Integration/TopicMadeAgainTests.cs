using Banking.Domain;
using Confluent.Kafka;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Health;
using KafkaEventSourcing.Processing;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>
/// Topics that are deleted, made again or cut. A node took an events topic that was made again for its own, and appended version 8 to an
/// empty log, healthy.
/// </summary>
public sealed class TopicMadeAgainTests(BankFixture bank)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task Events_topic_that_was_made_again_halts_its_partitions(bool deleteStore, bool deleteSnapshots)
    {
        using var desk = new TopicDesk(bank.Servers);
        await using (EventSourcedNode node = await desk.Start())
            await desk.Decide(node, [Movement.Open("a")], Movement.Credit("a", 1));
        await desk.MakeAgain(desk.Topics.Events);
        if (deleteStore)
            desk.DeleteStore();
        if (deleteSnapshots)
            await desk.MakeAgain(desk.Topics.Snapshots);

        var log = new NodeLog();
        await using EventSourcedNode again = await desk.Start(log);
        await ShouldBeHalted(again, log, desk.Topics.Events, "was deleted and made again");
        (await desk.EndOf(desk.Topics.Events)).ShouldBe(0);
    }

    [Fact]
    public async Task Events_topic_that_is_made_again_under_a_writer_halts_the_partition_and_gets_nothing()
    {
        using var desk = new TopicDesk(bank.Servers);
        var log = new NodeLog();
        await using EventSourcedNode node = await desk.Start(log);
        await desk.Decide(node, [Movement.Open("a")], Movement.Credit("a", 1));
        await desk.MakeAgain(desk.Topics.Events);
        Task<CommandResult>? outcome = null;
        bool taken = node.Aggregates[0].Processor.TrySend(Movement.Credit("a", 1), out outcome);
        await log.Line("LogHalted").WaitAsync(Cancellation);
        await ShouldBeHalted(node, log, desk.Topics.Events, "");
        if (taken)
            await Should.ThrowAsync<AggregateUnavailableException>(outcome!);
        Committed(desk).ShouldBe(0);
    }

    [Fact]
    public async Task Events_topic_that_is_made_again_under_an_idle_node_halts_the_partition()
    {
        using var desk = new TopicDesk(bank.Servers);
        var log = new NodeLog();
        await using EventSourcedNode node = await desk.Start(log);
        await desk.Decide(node, [Movement.Open("a")], Movement.Credit("a", 1));
        await desk.MakeAgain(desk.Topics.Events);
        await log.Line("LogHalted").WaitAsync(Cancellation);
        await ShouldBeHalted(node, log, desk.Topics.Events, "was deleted and made again");
        (await desk.EndOf(desk.Topics.Events)).ShouldBe(0);
    }

    [Fact]
    public async Task Events_that_nothing_covers_any_more_halt_the_partition()
    {
        using var desk = new TopicDesk(bank.Servers);
        await using (EventSourcedNode node = await desk.Start())
            await desk.Decide(node, [Movement.Open("a")], Movement.Credit("a", 1));
        desk.DeleteStore();
        await desk.DeleteRecords(desk.Topics.Events, 1);
        var log = new NodeLog();
        await using EventSourcedNode again = await desk.Start(log);
        await ShouldBeHalted(again, log, desk.Topics.Events,
            "begins at offset 1 in partition 0, and no snapshots that can be used and no state store cover what was before");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Command_without_id_takes_effect_in_a_topic_that_was_made_again(bool whileTheNodeRuns)
    {
        using var desk = new TopicDesk(bank.Servers);
        var log = new NodeLog();
        EventSourcedNode node = await desk.Start(log);
        try
        {
            await desk.Decide(node, [Movement.Open("q")], Movement.Credit("q", 1));
            if (!whileTheNodeRuns)
                await node.DisposeAsync();
            await desk.MakeAgain(desk.Topics.Commands);
            if (!whileTheNodeRuns)
                node = await desk.Start(log);
            (await log.Line("LogCommandsMadeAgain").WaitAsync(Cancellation)).ShouldContain(desk.Topics.Commands);
            await desk.Decide(node, [Movement.Credit("q", 1)], Movement.Credit("q", 1));
            (await desk.Version(node, "q")).ShouldBe(4);
        }
        finally
        {
            await node.DisposeAsync();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Snapshots_topic_that_was_made_again_gets_all_aggregates_before_anybody_rests_on_it(bool whileTheNodeRuns)
    {
        using var desk = new TopicDesk(bank.Servers);
        var log = new NodeLog();
        EventSourcedNode node = await desk.Start(log, barrierEvents: 10);
        try
        {
            // a barrier has these
            await desk.Decide(node, Enumerable.Range(0, 10).Select(i => Movement.Open($"a{i}")), Movement.Open("last"));
            if (!whileTheNodeRuns)
                await node.DisposeAsync();
            await desk.MakeAgain(desk.Topics.Snapshots);
            if (!whileTheNodeRuns)
                node = await desk.Start(log, barrierEvents: 10);
            (await log.Line("LogSnapshotsMadeAgain").WaitAsync(Cancellation)).ShouldContain(desk.Topics.Snapshots);

            // Another barrier, and one aggregate that has changed.
            long before = await desk.EndOf(desk.Topics.Events);
            for (int i = 0; i < 25; i++)
                (await node.SendAsync(Movement.Credit("last", 1), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
            await node.DisposeAsync();
            desk.DeleteStore();
            await desk.DeleteRecords(desk.Topics.Events, before);
            node = await desk.Start();
            node.Aggregates[0].Processor.HaltedPartitions.ShouldBeEmpty();
            for (int i = 0; i < 10; i++)
                (await desk.Version(node, $"a{i}")).ShouldBe(1);
        }
        finally
        {
            await node.DisposeAsync();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Timers_topic_that_was_made_again_halts_the_partitions_of_its_process_and_no_others(bool whileTheNodeRuns)
    {
        ApplicationDefinition application = EventSourcedApplication.Named(TestServers.UniqueName("timers"), "A bank of a test.").With(
            Transfer.Definition).With(Account.Definition).Build();
        using var desk = new TopicDesk(bank.Servers, application, isProcess: true);
        var log = new NodeLog();
        EventSourcedNode node = await desk.Start(log);
        try
        {
            await node.SendAsync(Movement.Open("a"), Cancellation);
            await node.SendAsync(new CommandEnvelope(AggregateId.Parse("t"), CommandId.Parse("t"), new RequestTransfer
            {
                Payer = "a", Receiver = "b", Amount = 1, Currency = "EUR", BookedOn = new DateOnly(2026, 3, 1),
            }), Cancellation);
            if (!whileTheNodeRuns)
                await node.DisposeAsync();
            await desk.MakeAgain(desk.Topics.Timers);
            if (!whileTheNodeRuns)
                node = await desk.Start(log);
            (await log.Line("LogHalted").WaitAsync(Cancellation)).ShouldContain(desk.Topics.Timers);
            AggregateNode transfers = node.Aggregates.Single(a => a.Definition.Name == "transfer");
            transfers.Processor.HaltedPartitions.ShouldHaveSingleItem().Value.ShouldContain(desk.Topics.Timers);
            node.Checks.Single(c => c.Name == "partitions").Look().Status.ShouldBe(CheckStatus.Failing);
            (await node.SendAsync(Movement.Credit("a", 1), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        }
        finally
        {
            await node.DisposeAsync();
        }
    }

    private static async Task ShouldBeHalted(EventSourcedNode node, NodeLog log, string topic, string why)
    {
        CommandProcessor processor = node.Aggregates[0].Processor;
        processor.StatusOf(TopicDesk.Partition).ShouldBe(PartitionStatus.Halted);
        node.IsReady.ShouldBeFalse();
        string reason = processor.HaltedPartitions.ShouldHaveSingleItem().Value;
        reason.ShouldContain(topic);
        reason.ShouldContain(why);
        log.Lines("LogHalted").ShouldHaveSingleItem().ShouldContain(topic);
        CheckResult health = node.Checks.Single(c => c.Name == "partitions").Look();
        health.Status.ShouldBe(CheckStatus.Failing);
        health.Reason.ShouldNotBeNull().ShouldContain(reason);
        processor.TrySend(Movement.Credit("a", 1), out _).ShouldBeFalse();
        (await Should.ThrowAsync<AggregateUnavailableException>(async () =>
            await processor.ReadAsync(AggregateId.Parse("a"), Cancellation))).Message.ShouldContain(topic);
        // Whoever reads by the node was told after ten seconds that there was no owner.
        (await Should.ThrowAsync<AggregateUnavailableException>(async () =>
            await node.Aggregates[0].Reads.ReadAsync(AggregateId.Parse("a"), Cancellation))).Message.ShouldContain(topic);
    }

    // Records that a reader sees: a writer that learns of the other topic by its own event has aborted it.
    private int Committed(TopicDesk desk)
    {
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(
            bank.Servers.Addresses.KafkaConnection.BoundedReader("test")).Build();
        consumer.Assign(new TopicPartitionOffset(desk.Topics.Events, TopicDesk.Partition, Offset.Beginning));
        int count = 0;
        while (consumer.Consume(Cancellation) is { IsPartitionEOF: false })
            count++;
        return count;
    }
}
