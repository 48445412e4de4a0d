using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class SettledEndTests(ProcessingFixture fixture) : IClassFixture<ProcessingFixture>
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan TransactionTimeout = TimeSpan.FromSeconds(30);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // Apache Kafka answers an abort before its markers are written. A writer that took the end of the moment expected its next event where the marker came to stand, and aborted again.
    [Fact]
    public async Task End_after_an_abort_is_behind_the_marker_however_late_it_is_written()
    {
        var partition = new TopicPartition(TestServers.UniqueName("events"), 0);
        using (var provisioner = new TopicProvisioner(fixture.Kafka))
            await provisioner.ApplyAsync(new TopicPlan([new TopicSpecification { Name = partition.Topic, Partitions = 1 }], [], []), Cancellation);
        (await Task.Run(() => EventReplay.SettledEnd(fixture.Kafka, partition, Cancellation), Cancellation)).ShouldBe(0);
        ProducerConfig config = fixture.Kafka.Producer();
        config.TransactionalId = TestServers.UniqueName("writer");
        using IProducer<Null, string> producer = new ProducerBuilder<Null, string>(config).Build();
        producer.InitTransactions(TransactionTimeout);
        producer.BeginTransaction();
        await producer.ProduceAsync(partition, new Message<Null, string> { Value = "aborted" }, Cancellation);

        Task<long> end = Task.Run(() => EventReplay.SettledEnd(fixture.Kafka, partition, Cancellation), Cancellation);
        await Should.ThrowAsync<TimeoutException>(end.WaitAsync(Moment, TimeProvider.System, Cancellation));
        producer.AbortTransaction(TransactionTimeout);
        (await end).ShouldBe(2);
    }
}
