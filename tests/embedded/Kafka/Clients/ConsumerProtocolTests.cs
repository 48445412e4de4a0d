using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Clients;

/// <summary>The consumer group protocol (KIP-848) as Confluent's client speaks it.</summary>
public sealed class ConsumerProtocolTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private EmbeddedKafka _kafka = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        _kafka = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions { ConsumerHeartbeatInterval = TimeSpan.FromMilliseconds(100) },
            cancellationToken: Cancellation);

    public ValueTask DisposeAsync() => _kafka.DisposeAsync();

    [Theory]
    [InlineData("uniform")]
    [InlineData("range")]
    public async Task Second_member_takes_over_half_and_gives_it_back(string assignor)
    {
        await Create("t", 4);
        using IConsumer<string, string> first = Consumer("g", assignor);
        first.Subscribe("t");
        Until([first], () => first.Assignment.Count == 4);
        using IConsumer<string, string> second = Consumer("g", assignor);
        second.Subscribe("t");
        Until([first, second], () => first.Assignment.Count == 2 && second.Assignment.Count == 2);
        first.Assignment.Concat(second.Assignment).Select(p => p.Partition.Value).Order().ShouldBe([0, 1, 2, 3]);
        second.Close();
        Until([first], () => first.Assignment.Count == 4);
    }

    [Fact]
    public async Task Offsets_are_committed_with_the_member_epoch_and_outlive_a_restart_of_the_consumer()
    {
        await Create("t", 1);
        await Produce("t", 5);
        using (IConsumer<string, string> consumer = Consumer("g"))
        {
            consumer.Subscribe("t");
            consumer.Consume(Patience).Offset.Value.ShouldBe(0);
            consumer.Commit(consumer.Consume(Patience));
            consumer.Close();
        }

        using IConsumer<string, string> next = Consumer("g");
        next.Subscribe("t");
        next.Consume(Patience).Offset.Value.ShouldBe(2);
    }

    [Fact]
    public async Task Topic_that_matches_the_regular_expression_later_is_assigned()
    {
        await Create("orders-a", 1);
        await Create("other", 1);
        using IConsumer<string, string> consumer = Consumer("g");
        consumer.Subscribe("^orders-.*");
        Until([consumer], () => consumer.Assignment.Count == 1);
        await Create("orders-b", 2);
        Until([consumer], () => consumer.Assignment.Count == 3);
        consumer.Assignment.Select(p => p.Topic).Distinct().Order().ShouldBe(["orders-a", "orders-b"]);
    }

    [Fact]
    public async Task Partitions_that_are_added_are_assigned()
    {
        await Create("t", 1);
        using IConsumer<string, string> consumer = Consumer("g");
        consumer.Subscribe("t");
        Until([consumer], () => consumer.Assignment.Count == 1);
        using IAdminClient admin = Admin();
        await admin.CreatePartitionsAsync([new PartitionsSpecification { Topic = "t", IncreaseTo = 3 }]);
        Until([consumer], () => consumer.Assignment.Count == 3);
    }

    [Fact]
    public async Task Static_member_that_comes_back_gets_the_same_partitions()
    {
        await Create("t", 4);
        using IConsumer<string, string> other = Consumer("g", instance: "b");
        other.Subscribe("t");
        List<TopicPartition> mine;
        using (IConsumer<string, string> first = Consumer("g", instance: "a"))
        {
            first.Subscribe("t");
            Until([first, other], () => first.Assignment.Count == 2 && other.Assignment.Count == 2);
            mine = first.Assignment;
            first.Close();
        }

        using IConsumer<string, string> again = Consumer("g", instance: "a");
        again.Subscribe("t");
        Until([again, other], () => again.Assignment.Count == 2);
        again.Assignment.OrderBy(p => p.Partition.Value).ShouldBe(mine.OrderBy(p => p.Partition.Value));
        other.Assignment.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Group_is_described_listed_and_deleted()
    {
        await Create("t", 1);
        using IAdminClient admin = Admin();
        using (IConsumer<string, string> consumer = Consumer("g"))
        {
            consumer.Subscribe("t");
            Until([consumer], () => consumer.Assignment.Count == 1);
            DescribeConsumerGroupsResult described = await admin.DescribeConsumerGroupsAsync(["g"]);
            described.ConsumerGroupDescriptions[0].State.ShouldBe(ConsumerGroupState.Stable);
            described.ConsumerGroupDescriptions[0].PartitionAssignor.ShouldBe("uniform");
            described.ConsumerGroupDescriptions[0].Members[0].Assignment.TopicPartitions.ShouldBe([new TopicPartition("t", 0)]);
            (await Should.ThrowAsync<DeleteGroupsException>(() => admin.DeleteGroupsAsync(["g"]))).Results[0].Error.Code.ShouldBe(
                ErrorCode.NonEmptyGroup);
            consumer.Close();
        }

        (await admin.ListConsumerGroupsAsync()).Valid.Single(g => g.GroupId == "g").State.ShouldBe(ConsumerGroupState.Empty);
        await admin.DeleteGroupsAsync(["g"]);
        (await admin.ListConsumerGroupsAsync()).Valid.ShouldBeEmpty();
    }

    [Fact]
    public async Task Empty_group_changes_its_protocol_and_keeps_its_offsets()
    {
        await Create("t", 1);
        await Produce("t", 3);
        foreach ((GroupProtocol protocol, int expected) in new[]
        {
            (GroupProtocol.Classic, 0),
            (GroupProtocol.Consumer, 1),
            (GroupProtocol.Classic, 2),
        })
        {
            using IConsumer<string, string> consumer = Consumer("g", protocol: protocol);
            consumer.Subscribe("t");
            ConsumeResult<string, string> record = consumer.Consume(Patience);
            record.Offset.Value.ShouldBe(expected);
            consumer.Commit(record);
            consumer.Close();
        }
    }

    [Fact]
    public async Task Members_and_epochs_outlive_a_restart_of_the_broker()
    {
        string directory = Directory.CreateTempSubdirectory("kafka-848-").FullName;
        try
        {
            var options = new EmbeddedKafkaOptions
            {
                DataDirectory = directory, ConsumerHeartbeatInterval = TimeSpan.FromMilliseconds(100),
            };
            EmbeddedKafka first = await EmbeddedKafka.StartAsync(options, cancellationToken: Cancellation);
            int port = int.Parse(first.BootstrapServers.Split(':')[1], System.Globalization.CultureInfo.InvariantCulture);
            using IAdminClient admin = Admin(first);
            await admin.CreateTopicsAsync([new TopicSpecification { Name = "t", NumPartitions = 2, ReplicationFactor = 1 }]);
            int revoked = 0;
            using IConsumer<string, string> consumer = Consumer("g", kafka: first, revoked: () => revoked++);
            consumer.Subscribe("t");
            Until([consumer], () => consumer.Assignment.Count == 2);
            await first.DisposeAsync();

            await using EmbeddedKafka second = await EmbeddedKafka.StartAsync(options with { Port = port },
                cancellationToken: Cancellation);
            using IProducer<string, string> producer = new ProducerBuilder<string, string>(
                new ProducerConfig { BootstrapServers = second.BootstrapServers }).Build();
            await producer.ProduceAsync(new TopicPartition("t", 1), new Message<string, string> { Value = "after" }, Cancellation);
            consumer.Consume(Patience).Message.Value.ShouldBe("after");
            consumer.Commit();
            revoked.ShouldBe(0);
            using IAdminClient next = Admin(second);
            (await next.DescribeConsumerGroupsAsync(["g"])).ConsumerGroupDescriptions[0].Members.Count.ShouldBe(1);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static void Until(IConsumer<string, string>[] consumers, Func<bool> reached)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (!reached())
        {
            foreach (IConsumer<string, string> consumer in consumers)
                consumer.Consume(TimeSpan.FromMilliseconds(20));
            (TimeProvider.System.GetElapsedTime(start) < Patience).ShouldBeTrue("the group did not get there in time");
        }
    }

    private IAdminClient Admin(EmbeddedKafka? kafka = null) =>
        new AdminClientBuilder(new AdminClientConfig { BootstrapServers = (kafka ?? _kafka).BootstrapServers }).SetLogHandler(
            (_, _) => { }).Build();

    private async Task Create(string topic, int partitions)
    {
        using IAdminClient admin = Admin();
        await admin.CreateTopicsAsync([new TopicSpecification { Name = topic, NumPartitions = partitions, ReplicationFactor = 1 }]);
    }

    private async Task Produce(string topic, int count)
    {
        using IProducer<string, string> producer = new ProducerBuilder<string, string>(
            new ProducerConfig { BootstrapServers = _kafka.BootstrapServers }).Build();
        for (int i = 0; i < count; i++)
            await producer.ProduceAsync(topic, new Message<string, string> { Value = $"{i}" }, Cancellation);
    }

    private IConsumer<string, string> Consumer(string group, string? assignor = null, string? instance = null,
        GroupProtocol protocol = GroupProtocol.Consumer, EmbeddedKafka? kafka = null, Action? revoked = null) =>
        new ConsumerBuilder<string, string>(new ConsumerConfig
        {
            BootstrapServers = (kafka ?? _kafka).BootstrapServers,
            GroupId = group,
            GroupProtocol = protocol,
            GroupRemoteAssignor = assignor,
            GroupInstanceId = instance,
            AutoOffsetReset = AutoOffsetReset.Earliest,
            EnableAutoCommit = false,
            TopicMetadataRefreshIntervalMs = 500,
        }).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).SetPartitionsRevokedHandler((_, _) => revoked?.Invoke()).Build();
}
