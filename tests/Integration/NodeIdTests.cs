using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Processing;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>Nodes with ids of their own: static members of their group.</summary>
public sealed class NodeIdTests(BankFixture bank)
{
    private const int Partitions = 2;
    private const int Callers = 6;
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan SessionTimeout = TimeSpan.FromSeconds(20);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Node_whose_place_was_given_away_under_load_joins_again_and_answers_all()
    {
        await using var nodes = new BankNodes(bank.Servers, Partitions, SessionTimeout);
        BankNode node = await nodes.Start("one", isStatic: true, Cancellation);
        string[] accounts = [.. Enumerable.Range(0, Callers).Select(n => $"a{n}")];
        foreach (string account in accounts)
            await node.Node.SendAsync(Movement.Open(account), Cancellation);
        bool ended = false;
        long[] sent = new long[Callers];
        // By the topic: their offsets are of the transactions, and Kafka refuses those of a member that has lost its place.
        Task[] callers = [.. accounts.Select((account, n) => Task.Run(async () =>
        {
            while (!Volatile.Read(ref ended))
            {
                (await node.Part.CommandTopic.SendAsync(Movement.Credit(account, 1),
                    Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
                Interlocked.Increment(ref sent[n]);
            }
        }, Cancellation))];

        await Answered(more: 20);
        await TakeThePlaceOf("one", node.Part.Topics);
        await Answered(more: 20);
        Volatile.Write(ref ended, true);
        await Task.WhenAll(callers);

        node.Node.Completion.IsCompleted.ShouldBeFalse();
        for (int n = 0; n < Callers; n++)
            (await node.Part.Reads.ReadAsync(AggregateId.Parse(accounts[n]), Cancellation))!.Version.ShouldBe(1 + sent[n]);

        async Task Answered(int more)
        {
            long until = sent.Sum() + (more * Callers);
            using var timer = new PeriodicTimer(Look, TimeProvider.System);
            while (sent.Sum() < until)
            {
                callers.ShouldAllBe(c => !c.IsCompleted);
                await timer.WaitForNextTickAsync(Cancellation);
            }
        }
    }

    [Fact]
    public async Task Of_two_nodes_under_one_id_one_ends_and_says_why_and_the_other_goes_on()
    {
        await using var nodes = new BankNodes(bank.Servers, Partitions, SessionTimeout) { MayEnd = true };
        EventSourcedNode one = (await nodes.Start("one", isStatic: true, Cancellation)).Node;
        var options = new KafkaEventSourcingOptions
        {
            DataDirectory = Path.Combine(bank.Servers.Folder, nodes.Application.Name, "twin"),
            Partitions = Partitions,
            NodeId = "one",
            SessionTimeout = SessionTimeout,
        };
        Task<EventSourcedNode> starting = EventSourcedNode.StartAsync(nodes.Application, bank.Servers.Addresses, options,
            NullLoggerFactory.Instance, TimeProvider.System, Cancellation);
        Task twinEnds = Task.Run(async () => await (await starting).Completion, Cancellation);

        Task first = await Task.WhenAny(one.Completion, twinEnds).WaitAsync(Cancellation);

        await Should.ThrowAsync<Exception>(first);
        DuplicateNodeException said = first.Exception!.Flatten().InnerExceptions.OfType<DuplicateNodeException>().ShouldHaveSingleItem(
            first.Exception.ToString());
        said.GetBaseException().ShouldBeAssignableTo<KafkaException>();
        said.Message.ShouldContain("--node-id");
        said.NodeId.ShouldBe("one");
        EventSourcedNode other = first == twinEnds ? one : await starting;
        (await other.SendAsync(Movement.Open("a"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        if (starting.IsCompletedSuccessfully)
            await (await starting).DisposeAsync();
    }

    // As a member that the coordinator remembers better: it joins under the same instance id, and is gone without leaving the group.
    private async Task TakeThePlaceOf(string instance, TopicFamily topics)
    {
        var config = new ConsumerConfig
        {
            BootstrapServers = bank.Servers.Addresses.Kafka,
            GroupId = $"{topics.Application}-{topics.Aggregate}",
            GroupInstanceId = instance,
            PartitionAssignmentStrategy = PartitionAssignmentStrategy.CooperativeSticky,
            EnableAutoCommit = false,
        };
        bool assigned = false;
        using IConsumer<byte[], byte[]> other = new ConsumerBuilder<byte[], byte[]>(config).SetPartitionsAssignedHandler((_, _) =>
            assigned = true).Build();
        other.Subscribe(topics.Commands);
        await Task.Run(() =>
        {
            while (!assigned)
            {
                Cancellation.ThrowIfCancellationRequested();
                other.Consume(TimeSpan.FromMilliseconds(50));
            }
        }, Cancellation);
    }
}
