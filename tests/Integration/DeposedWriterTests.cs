using Confluent.Kafka;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Processing;

namespace KafkaEventSourcing.Integration.Tests;

public sealed class DeposedWriterTests(BankFixture bank)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string, CommandEnvelope, Type> Commands => new()
    {
        { "yes", Movement.Credit("a", 5, "yes"), typeof(CommandResult.Accepted) },
        { "a conflict", Movement.Credit("a", 5, "stale") with { ExpectedVersion = ExpectedVersion.Exactly(7) },
            typeof(CommandResult.Conflict) },
        { "a rejection", Movement.Debit("a", 500, "too-much"), typeof(CommandResult.Rejected) },
        { "what it had told before", Movement.Credit("a", 10, "first"), typeof(CommandResult.Accepted) },
    };

    [Fact]
    public async Task Deposed_writer_cannot_answer_a_strong_read()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(application, null, Cancellation);
        await node.SendAsync(Movement.Open("a"), Cancellation);
        await node.SendAsync(Movement.Credit("a", 10, "first"), Cancellation);
        AggregateNode part = node.Aggregates[0];
        var id = AggregateId.Parse("a");
        (await part.Processor.ReadAsync(id, Cancellation))!.Version.ShouldBe(2);
        Usurp(application, part.Processor.PartitionOf(id));

        // It does not know yet. An eventual read may report the past, a strong one finds out.
        (await part.Processor.ReadAsync(id, ReadConsistency.Eventual, Cancellation))!.Version.ShouldBe(2);
        await Should.ThrowAsync<AggregateUnavailableException>(async () =>
            await part.Processor.ReadAsync(id, Cancellation).AsTask().WaitAsync(Cancellation));

        // Asked by the way that looks for the owner, the writer after it answers.
        (await part.Reads.ReadAsync(id, Cancellation))!.Version.ShouldBe(2);
    }

    [Fact]
    public async Task Strong_reads_that_wait_share_a_transaction()
    {
        const int reads = 300;
        ApplicationDefinition application = BankFixture.NewBank();
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(application, null, Cancellation);
        await node.SendAsync(Movement.Open("a"), Cancellation);
        AggregateNode part = node.Aggregates[0];
        long before = await RepliesEnd(part);
        Task<AggregateView?>[] reading = [.. Enumerable.Range(0, reads).Select(_ =>
            part.Processor.ReadAsync(AggregateId.Parse("a"), Cancellation).AsTask())];
        foreach (AggregateView? view in await Task.WhenAll(reading))
            view!.Version.ShouldBe(1);

        // A transaction is two offsets, its record and its marker.
        (await RepliesEnd(part) - before).ShouldBeInRange(2, reads);
    }

    [Theory]
    [MemberData(nameof(Commands), DisableDiscoveryEnumeration = true)]
    public async Task Deposed_writer_cannot_answer_at_the_direct_door(string what, CommandEnvelope command, Type answer)
    {
        ApplicationDefinition application = BankFixture.NewBank();
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(application, null, Cancellation);
        await node.SendAsync(Movement.Open("a"), Cancellation);
        await node.SendAsync(Movement.Credit("a", 10, "first"), Cancellation);
        CommandProcessor processor = node.Aggregates[0].Processor;
        foreach (int partition in processor.Partitions.Keys)
            Usurp(application, partition);

        processor.TrySend(command, out Task<CommandResult>? outcome).ShouldBeTrue(what); // it does not know yet that it is deposed
        await Should.ThrowAsync<AggregateUnavailableException>(() => outcome!.WaitAsync(Cancellation), what);

        // Sent again, the writer after it answers: it has restored, and is not deposed.
        (await node.SendAsync(command, Cancellation)).ShouldBeOfType(answer, what);
        var events = new List<string>();
        await foreach (RecordedEvent recorded in node.Aggregates[0].History.ReadAggregateAsync(AggregateId.Parse("a"), Cancellation))
            events.Add(recorded.CommandId.Value);
        events.ShouldBe(command.CommandId.Value == "yes" ? ["open-a", "first", "yes"] : ["open-a", "first"]);
    }

    private void Usurp(ApplicationDefinition application, int partition)
    {
        var config = new ProducerConfig
        {
            BootstrapServers = bank.Servers.Addresses.Kafka, TransactionalId = $"{application.Name}-account-{partition}",
        };
        using IProducer<byte[], byte[]> usurper = new ProducerBuilder<byte[], byte[]>(config).Build();
        usurper.InitTransactions(TimeSpan.FromSeconds(30));
    }

    // A commit is answered before its markers are written: until then the end of what is committed is before that of all records.
    private async Task<long> RepliesEnd(AggregateNode part)
    {
        using IConsumer<byte[], byte[]> committed = Reader(IsolationLevel.ReadCommitted);
        using IConsumer<byte[], byte[]> all = Reader(IsolationLevel.ReadUncommitted);
        using var timer = new PeriodicTimer(Look, TimeProvider.System);
        while (true)
        {
            long end = await Task.Run(() => End(all), Cancellation);
            if (await Task.Run(() => End(committed), Cancellation) == end && await Task.Run(() => End(all), Cancellation) == end)
                return end;
            await timer.WaitForNextTickAsync(Cancellation);
        }

        IConsumer<byte[], byte[]> Reader(IsolationLevel level) =>
            new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
            {
                BootstrapServers = bank.Servers.Addresses.Kafka, GroupId = "ends", IsolationLevel = level,
            }).Build();
        long End(IConsumer<byte[], byte[]> reader) =>
            Enumerable.Range(0, 2).Sum(p =>
                reader.QueryWatermarkOffsets(new TopicPartition(part.Topics.Replies, p), TimeSpan.FromSeconds(30)).High.Value);
    }
}
