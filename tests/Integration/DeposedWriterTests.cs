using Confluent.Kafka;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Processing;

namespace KafkaEventSourcing.Integration.Tests;

public sealed class DeposedWriterTests(BankFixture bank)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string, CommandEnvelope, Type> Commands => new()
    {
        { "yes", Movement.Credit("a", 5, "yes"), typeof(CommandResult.Accepted) },
        { "a conflict", Movement.Credit("a", 5, "stale") with { ExpectedVersion = ExpectedVersion.Exactly(7) }, typeof(CommandResult.Conflict) },
        { "a rejection", Movement.Debit("a", 500, "too-much"), typeof(CommandResult.Rejected) },
        { "what it had told before", Movement.Credit("a", 10, "first"), typeof(CommandResult.Accepted) },
    };

    [Theory]
    [MemberData(nameof(Commands), DisableDiscoveryEnumeration = true)]
    public async Task Deposed_writer_cannot_answer_at_the_direct_door(string what, CommandEnvelope command, Type answer)
    {
        ApplicationDefinition application = BankFixture.NewBank();
        await using EventSourcedNode node = await bank.Servers.StartNode(application, null, Cancellation);
        await node.Send(Movement.Open("a"), Cancellation);
        await node.Send(Movement.Credit("a", 10, "first"), Cancellation);
        CommandProcessor processor = node.Aggregates[0].Processor;
        foreach (int partition in processor.Partitions.Keys)
        {
            var config = new ProducerConfig { BootstrapServers = bank.Servers.Addresses.Kafka, TransactionalId = $"{application.Name}-account-{partition}" };
            using IProducer<byte[], byte[]> usurper = new ProducerBuilder<byte[], byte[]>(config).Build();
            usurper.InitTransactions(TimeSpan.FromSeconds(30));
        }

        processor.TrySend(command, out Task<CommandResult>? outcome).ShouldBeTrue(what); // it does not know yet that it is deposed
        await Should.ThrowAsync<AggregateUnavailableException>(() => outcome!.WaitAsync(Cancellation), what);

        // Sent again, the writer after it answers: it has restored, and is not deposed.
        (await node.Send(command, Cancellation)).ShouldBeOfType(answer, what);
        var events = new List<string>();
        await foreach (RecordedEvent recorded in node.Aggregates[0].History.ReadAggregate(AggregateId.Parse("a"), Cancellation))
            events.Add(recorded.CommandId.Value);
        events.ShouldBe(command.CommandId.Value == "yes" ? ["open-a", "first", "yes"] : ["open-a", "first"]);
    }
}
