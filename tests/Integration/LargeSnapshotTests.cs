using Banking.Domain;
using Confluent.Kafka;
using KafkaEventSourcing.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Integration.Tests;

public sealed class LargeSnapshotTests(BankFixture bank)
{
    private const int Refusals = 200;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // The state is near the largest event, and the refusals quote what was sent: one record could not hold both, and the barrier stopped
    // the partition for ever.
    [Fact]
    public async Task Aggregate_larger_than_a_record_is_snapshot_and_comes_back()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        var options = new KafkaEventSourcingOptions
        {
            DataDirectory = Path.Combine(bank.Servers.Folder, application.Name),
            Partitions = 1,
            BarrierEvents = 5,
        };
        var large = new CommandEnvelope(AggregateId.Parse("large"), CommandId.Parse("open-large"),
            new OpenAccount
            {
                Owner = new string('o', 850_000),
                Currency = "EUR",
                OverdraftLimit = 0,
                OpenedOn = new DateOnly(2026, 3, 1),
            });
        AggregateView before;
        await using (EventSourcedNode node = await Start(application, options))
        {
            (await node.SendAsync(large, Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
            for (int i = 0; i < Refusals; i++)
                await Refused(node, i, isDuplicate: false);
            for (int i = 0; i < 8; i++)
                (await node.SendAsync(Movement.Credit("large", 1, $"credit-{i}"),
                    Cancellation)).ShouldBeOfType<CommandResult.Accepted>().Version.ShouldBe(2 + i);
            before = (await node.Aggregates[0].Processor.ReadAsync(large.AggregateId, Cancellation))!;
            await node.WaitForReadModelsAsync(Cancellation);
        }

        // Without its store and the events before the barrier, the account is what its snapshot says.
        Directory.Delete(options.DataDirectory, recursive: true);
        using (IAdminClient admin = new AdminClientBuilder(new AdminClientConfig
        {
            BootstrapServers = bank.Servers.Addresses.Kafka,
        }).Build())
            await admin.DeleteRecordsAsync([new TopicPartitionOffset($"{application.Name}.account.events", 0, 6)]);
        await using EventSourcedNode restarted = await Start(application, options);
        (await restarted.Aggregates[0].Processor.ReadAsync(large.AggregateId, Cancellation)).ShouldBe(before);
        (await restarted.SendAsync(large, Cancellation)).IsDuplicate.ShouldBeTrue();
        await Refused(restarted, 0, isDuplicate: true);
        await Refused(restarted, Refusals - 1, isDuplicate: true);
        (await restarted.SendAsync(Movement.Credit("large", 1), Cancellation)).Version.ShouldBe(before.Version + 1);
    }

    private Task<EventSourcedNode> Start(ApplicationDefinition application, KafkaEventSourcingOptions options) =>
        EventSourcedNode.StartAsync(application, bank.Servers.Addresses, options, NullLoggerFactory.Instance, TimeProvider.System,
            Cancellation);

    private static async Task Refused(EventSourcedNode node, int number, bool isDuplicate)
    {
        var debit = new Debit
        {
            Amount = 1,
            Currency = new string('€', 20_000),
            BookedOn = new DateOnly(2026, 3, 1),
            Operation = Operation.CashWithdrawal,
            Category = Category.None,
        };
        CommandResult.Rejected refused = (await node.SendAsync(new CommandEnvelope(AggregateId.Parse("large"),
            CommandId.Parse($"refused-{number}"), debit), Cancellation)).ShouldBeOfType<CommandResult.Rejected>();
        refused.IsDuplicate.ShouldBe(isDuplicate);
        refused.Rejection.Message.Length.ShouldBeLessThanOrEqualTo(2_000);
        refused.Rejection.Details.Values.ShouldAllBe(v => v.Length <= 2_000);
    }
}
