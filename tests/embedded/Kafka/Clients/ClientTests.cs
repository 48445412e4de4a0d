using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Clients;

/// <summary>What Confluent's client, librdkafka inside, sees of the broker.</summary>
public sealed class ClientTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private EmbeddedKafka _kafka = null!;

    public async ValueTask InitializeAsync() => _kafka = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions());

    public ValueTask DisposeAsync() => _kafka.DisposeAsync();

    [Theory]
    [InlineData(CompressionType.None)]
    [InlineData(CompressionType.Gzip)]
    [InlineData(CompressionType.Snappy)]
    [InlineData(CompressionType.Lz4)]
    [InlineData(CompressionType.Zstd)]
    public async Task Produce_with_any_codec_is_consumed_as_it_was(CompressionType codec)
    {
        await Create("codecs", 1);
        string[] sent = [.. Enumerable.Range(0, 500).Select(i => $"value {i} {new string('x', i % 50)}")];
        using (IProducer<string, string> producer = new ProducerBuilder<string, string>(
            new ProducerConfig { BootstrapServers = _kafka.BootstrapServers, CompressionType = codec, EnableIdempotence = true }).Build())
        {
            foreach (string value in sent)
                producer.Produce("codecs",
                    new Message<string, string> { Key = "k", Value = value, Headers = new Headers { { "h", [1, 2] } } });
            producer.Flush(Patience);
        }

        List<ConsumeResult<string, string>> received = ReadAll("codecs", 0, IsolationLevel.ReadUncommitted);
        received.Select(r => r.Message.Value).ShouldBe(sent);
        received.Select(r => r.Offset.Value).ShouldBe(Enumerable.Range(0, 500).Select(i => (long)i));
        received[0].Message.Headers[0].GetValueBytes().ShouldBe([1, 2]);
    }

    [Fact]
    public async Task Transaction_aborted_is_not_seen_by_read_committed()
    {
        await Create("t", 1);
        using IProducer<string, string> producer = Transactional("tx-1");
        producer.InitTransactions(Patience);
        producer.BeginTransaction();
        producer.Produce("t", new Message<string, string> { Value = "lost" });
        producer.Flush(Patience);
        producer.AbortTransaction(Patience);
        producer.BeginTransaction();
        producer.Produce("t", new Message<string, string> { Value = "kept" });
        producer.CommitTransaction(Patience);

        ReadAll("t", 0, IsolationLevel.ReadCommitted).Select(r => (r.Message.Value, r.Offset.Value)).ShouldBe([("kept", 2L)]);
        ReadAll("t", 0, IsolationLevel.ReadUncommitted).Select(r => r.Message.Value).ShouldBe(["lost", "kept"]);
    }

    [Fact]
    public async Task Transaction_open_holds_read_committed_back()
    {
        await Create("t", 1);
        using IProducer<string, string> producer = Transactional("tx-1");
        producer.InitTransactions(Patience);
        producer.BeginTransaction();
        producer.Produce("t", new Message<string, string> { Value = "open" });
        producer.Flush(Patience);
        ReadAll("t", 0, IsolationLevel.ReadCommitted).ShouldBeEmpty();
        producer.CommitTransaction(Patience);
        ReadAll("t", 0, IsolationLevel.ReadCommitted).Count.ShouldBe(1);
    }

    // A look-up by time told a read-committed consumer the offset of a record whose transaction was still open (Kafka's own
    // PlaintextConsumerTest).
    [Fact]
    public async Task Transaction_open_is_not_found_by_its_time_with_read_committed()
    {
        await Create("t", 1);
        var partition = new TopicPartition("t", 0);
        using IProducer<string, string> producer = Transactional("tx-1");
        producer.InitTransactions(Patience);
        producer.BeginTransaction();
        producer.Produce("t", new Message<string, string> { Value = "open", Timestamp = new Timestamp(1_000, TimestampType.CreateTime) });
        producer.Flush(Patience);
        using IConsumer<string, string> committed = Consumer("g", IsolationLevel.ReadCommitted);
        using IConsumer<string, string> uncommitted = Consumer("g", IsolationLevel.ReadUncommitted);
        long Found(IConsumer<string, string> consumer) =>
            consumer.OffsetsForTimes([new TopicPartitionTimestamp(partition, new Timestamp(1_000, TimestampType.CreateTime))],
                Patience)[0].Offset.Value;
        Found(committed).ShouldBe(Offset.End.Value);
        Found(uncommitted).ShouldBe(0);
        producer.CommitTransaction(Patience);
        Found(committed).ShouldBe(0);
    }

    [Fact]
    public async Task Producer_whose_id_was_taken_over_is_fenced()
    {
        await Create("t", 1);
        using IProducer<string, string> zombie = Transactional("tx-1");
        zombie.InitTransactions(Patience);
        zombie.BeginTransaction();
        zombie.Produce("t", new Message<string, string> { Value = "zombie" });
        zombie.Flush(Patience);

        using IProducer<string, string> owner = Transactional("tx-1");
        owner.InitTransactions(Patience);

        KafkaException fenced = Should.Throw<KafkaException>(() => zombie.CommitTransaction(Patience));
        fenced.Error.IsFatal.ShouldBeTrue();
        fenced.Error.Code.ShouldBe(ErrorCode.Local_Fenced);
        ReadAll("t", 0, IsolationLevel.ReadCommitted).ShouldBeEmpty();
    }

    [Fact]
    public async Task Offsets_in_a_transaction_count_only_when_it_commits()
    {
        await Create("in", 1);
        await Create("out", 1);
        var input = new TopicPartition("in", 0);
        using IConsumer<string, string> consumer = Consumer("group", IsolationLevel.ReadCommitted);
        consumer.Subscribe("in");
        using (IProducer<string, string> seed = new ProducerBuilder<string, string>(
            new ProducerConfig { BootstrapServers = _kafka.BootstrapServers }).Build())
        {
            seed.Produce("in", new Message<string, string> { Value = "x" });
            seed.Flush(Patience);
        }

        consumer.Consume(Patience).Message.Value.ShouldBe("x");
        using IProducer<string, string> producer = Transactional("tx-1");
        producer.InitTransactions(Patience);
        producer.BeginTransaction();
        producer.Produce("out", new Message<string, string> { Value = "y" });
        producer.SendOffsetsToTransaction([new TopicPartitionOffset(input, 1)], consumer.ConsumerGroupMetadata, Patience);
        producer.AbortTransaction(Patience);
        consumer.Committed([input], Patience)[0].Offset.ShouldBe(Offset.Unset);

        producer.BeginTransaction();
        producer.SendOffsetsToTransaction([new TopicPartitionOffset(input, 1)], consumer.ConsumerGroupMetadata, Patience);
        producer.CommitTransaction(Patience);
        consumer.Committed([input], Patience)[0].Offset.Value.ShouldBe(1);
    }

    [Theory]
    [InlineData(PartitionAssignmentStrategy.Range)]
    [InlineData(PartitionAssignmentStrategy.CooperativeSticky)]
    public async Task Group_second_member_takes_over_part_of_the_partitions(PartitionAssignmentStrategy strategy)
    {
        await Create("g", 4);
        using IConsumer<string, string> first = Consumer("group", IsolationLevel.ReadCommitted, strategy);
        first.Subscribe("g");
        Until(first, () => first.Assignment.Count == 4);
        using IConsumer<string, string> second = Consumer("group", IsolationLevel.ReadCommitted, strategy);
        second.Subscribe("g");
        Task other = Task.Run(() => Until(second, () => second.Assignment.Count == 2));
        Until(first, () => first.Assignment.Count == 2);
        await other;
        first.Assignment.Concat(second.Assignment).Select(p => p.Partition.Value).Order().ShouldBe([0, 1, 2, 3]);
        second.Close();
        Until(first, () => first.Assignment.Count == 4);
    }

    // The broker waited for the connections of members whose rebalance had not come to an end, for as long as that may take: minutes.
    [Fact]
    public async Task Broker_stops_while_a_member_waits_for_its_group()
    {
        await Create("g", 4);
        using IConsumer<string, string> silent = Consumer("group", IsolationLevel.ReadCommitted);
        silent.Subscribe("g");
        Until(silent, () => silent.Assignment.Count == 4);
        using IConsumer<string, string> waiting = Consumer("group", IsolationLevel.ReadCommitted);
        waiting.Subscribe("g");
        using (IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = _kafka.BootstrapServers }).Build())
        {
            while ((await admin.DescribeConsumerGroupsAsync(["group"])).ConsumerGroupDescriptions[0].State
                != ConsumerGroupState.PreparingRebalance)
                waiting.Consume(TimeSpan.FromMilliseconds(20));
        }

        await _kafka.DisposeAsync().AsTask().WaitAsync(Patience);
    }

    [Fact]
    public async Task Restart_keeps_records_offsets_topics_and_transactions()
    {
        string directory = Directory.CreateTempSubdirectory("kafka-restart-").FullName;
        try
        {
            await using (EmbeddedKafka first = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions { DataDirectory = directory }))
            {
                await Create("r", 2, first);
                using IProducer<string, string> producer = Transactional("tx-r", first);
                producer.InitTransactions(Patience);
                producer.BeginTransaction();
                producer.Produce(new TopicPartition("r", 1), new Message<string, string> { Value = "aborted" });
                producer.Flush(Patience);
                producer.AbortTransaction(Patience);
                producer.BeginTransaction();
                producer.Produce(new TopicPartition("r", 1), new Message<string, string> { Value = "committed" });
                producer.CommitTransaction(Patience);
                using IConsumer<string, string> consumer = Consumer("group", IsolationLevel.ReadCommitted, kafka: first);
                consumer.Assign(new TopicPartition("r", 1));
                consumer.Commit([new TopicPartitionOffset("r", 1, 3)]);
            }

            await using EmbeddedKafka second = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions { DataDirectory = directory });
            ReadAll("r", 1, IsolationLevel.ReadCommitted, second).Select(r => r.Message.Value).ShouldBe(["committed"]);
            using IConsumer<string, string> again = Consumer("group", IsolationLevel.ReadCommitted, kafka: second);
            again.Committed([new TopicPartition("r", 1)], Patience)[0].Offset.Value.ShouldBe(3);
            using IProducer<string, string> next = Transactional("tx-r", second);
            next.InitTransactions(Patience);
            next.BeginTransaction();
            next.Produce(new TopicPartition("r", 1), new Message<string, string> { Value = "after" });
            next.CommitTransaction(Patience);
            ReadAll("r", 1, IsolationLevel.ReadCommitted, second).Select(r => r.Message.Value).ShouldBe(["committed", "after"]);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public async Task Admin_refuses_as_Kafka_does()
    {
        using IAdminClient admin = Admin(_kafka);
        await Create("a", 2);
        async Task<ErrorCode> Refused(TopicSpecification topic) =>
            (await Should.ThrowAsync<CreateTopicsException>(() => admin.CreateTopicsAsync([topic]))).Results[0].Error.Code;
        (await Refused(new TopicSpecification { Name = "a", NumPartitions = 1, ReplicationFactor = 1 })).ShouldBe(
            ErrorCode.TopicAlreadyExists);
        (await Refused(new TopicSpecification { Name = "b", NumPartitions = 1, ReplicationFactor = 3 })).ShouldBe(
            ErrorCode.InvalidReplicationFactor);
        (await Refused(new TopicSpecification { Name = "b/c", NumPartitions = 1, ReplicationFactor = 1 })).ShouldBe(
            ErrorCode.TopicException);
        (await Refused(new TopicSpecification
        {
            Name = "b",
            NumPartitions = 1,
            ReplicationFactor = 1,
            Configs = new() { ["retention.ms"] = "soon" },
        })).ShouldBe(ErrorCode.InvalidConfig);
        var resource = new ConfigResource { Type = ResourceType.Topic, Name = "a" };
        await admin.IncrementalAlterConfigsAsync(new Dictionary<ConfigResource, List<ConfigEntry>>
        {
            [resource] = [new ConfigEntry { Name = "retention.ms", Value = "1000", IncrementalOperation = AlterConfigOpType.Set }],
        });
        List<DescribeConfigsResult> configs = await admin.DescribeConfigsAsync([resource]);
        configs[0].Entries["retention.ms"].Value.ShouldBe("1000");
        configs[0].Entries["retention.ms"].IsDefault.ShouldBeFalse();
        configs[0].Entries["segment.bytes"].IsDefault.ShouldBeTrue();
        await admin.DeleteTopicsAsync(["a"]);
        admin.GetMetadata(Patience).Topics.Select(t => t.Topic).ShouldNotContain("a");
    }

    // librdkafka's test 0081 changes these, as Kafka lets it; the broker did not know the names.
    [Theory]
    [InlineData("background.threads", "9", "10")]
    [InlineData("sasl.kerberos.min.time.before.relogin", "58000", "60000")]
    [InlineData("sasl.login.refresh.buffer.seconds", "200", "300")]
    public async Task Dynamic_broker_config_is_set_and_deleted(string name, string value, string otherwise)
    {
        using IAdminClient admin = Admin(_kafka);
        var broker = new ConfigResource { Type = ResourceType.Broker, Name = "1" };
        async Task<string> Change(AlterConfigOpType operation)
        {
            await admin.IncrementalAlterConfigsAsync(new Dictionary<ConfigResource, List<ConfigEntry>>
            {
                [broker] = [new ConfigEntry { Name = name, Value = value, IncrementalOperation = operation }],
            });
            return (await admin.DescribeConfigsAsync([broker]))[0].Entries[name].Value;
        }

        (await Change(AlterConfigOpType.Set)).ShouldBe(value);
        (await Change(AlterConfigOpType.Delete)).ShouldBe(otherwise);
    }

    [Fact]
    public async Task Delete_records_moves_the_start()
    {
        await Create("d", 1);
        using IProducer<string, string> producer = new ProducerBuilder<string, string>(
            new ProducerConfig { BootstrapServers = _kafka.BootstrapServers }).Build();
        for (int i = 0; i < 10; i++)
            await producer.ProduceAsync("d", new Message<string, string> { Value = $"{i}" });
        using IAdminClient admin = Admin(_kafka);
        await admin.DeleteRecordsAsync([new TopicPartitionOffset("d", 0, 7)]);
        ReadAll("d", 0, IsolationLevel.ReadCommitted).Select(r => r.Message.Value).ShouldBe(["7", "8", "9"]);
    }

    [Fact]
    public async Task Port_in_use_is_told_in_words()
    {
        int port = int.Parse(_kafka.BootstrapServers.Split(':')[1], System.Globalization.CultureInfo.InvariantCulture);
        (await Should.ThrowAsync<IOException>(() =>
            EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions { Port = port }))).Message.ShouldContain($"Port {port}");
        (await Should.ThrowAsync<IOException>(() =>
            EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions { DataDirectory = _kafka.DataDirectory }))).Message.ShouldContain(
                "is in use, by another process or another broker of this one");
    }

    private static IAdminClient Admin(EmbeddedKafka kafka) =>
        new AdminClientBuilder(new AdminClientConfig { BootstrapServers = kafka.BootstrapServers }).Build();

    private static void Until(IConsumer<string, string> consumer, Func<bool> reached)
    {
        DateTime end = TimeProvider.System.GetUtcNow().UtcDateTime + Patience;
        while (!reached())
        {
            consumer.Consume(TimeSpan.FromMilliseconds(50));
            (TimeProvider.System.GetUtcNow().UtcDateTime < end).ShouldBeTrue("the group did not get there in time");
        }
    }

    private async Task Create(string topic, int partitions, EmbeddedKafka? kafka = null)
    {
        using IAdminClient admin = Admin(kafka ?? _kafka);
        await admin.CreateTopicsAsync([new TopicSpecification { Name = topic, NumPartitions = partitions, ReplicationFactor = 1 }]);
    }

    private IProducer<string, string> Transactional(string id, EmbeddedKafka? kafka = null) =>
        new ProducerBuilder<string, string>(new ProducerConfig
        {
            BootstrapServers = (kafka ?? _kafka).BootstrapServers,
            TransactionalId = id,
            TransactionTimeoutMs = 15_000,
            LingerMs = 0,
        })
            .SetLogHandler((_, _) => { }).Build();

    private IConsumer<string, string> Consumer(string group, IsolationLevel isolation,
        PartitionAssignmentStrategy strategy = PartitionAssignmentStrategy.Range, EmbeddedKafka? kafka = null) =>
        new ConsumerBuilder<string, string>(new ConsumerConfig
        {
            BootstrapServers = (kafka ?? _kafka).BootstrapServers,
            GroupId = group,
            IsolationLevel = isolation,
            AutoOffsetReset = AutoOffsetReset.Earliest,
            EnableAutoCommit = false,
            EnablePartitionEof = false,
            PartitionAssignmentStrategy = strategy,
            HeartbeatIntervalMs = 200,
        }).SetLogHandler((_, _) => { }).Build();

    private List<ConsumeResult<string, string>> ReadAll(string topic, int partition, IsolationLevel isolation, EmbeddedKafka? kafka = null)
    {
        using IConsumer<string, string> consumer = new ConsumerBuilder<string, string>(new ConsumerConfig
        {
            BootstrapServers = (kafka ?? _kafka).BootstrapServers,
            GroupId = "reader",
            IsolationLevel = isolation,
            EnablePartitionEof = true,
            EnableAutoCommit = false,
            AutoOffsetReset = AutoOffsetReset.Earliest,
        }).SetLogHandler((_, _) => { }).Build();
        consumer.Assign(new TopicPartitionOffset(topic, partition, Offset.Beginning));
        var all = new List<ConsumeResult<string, string>>();
        while (true)
        {
            ConsumeResult<string, string>? record = consumer.Consume(Patience);
            record.ShouldNotBeNull("the broker gave neither a record nor the end");
            if (record.IsPartitionEOF)
                return all;
            all.Add(record);
        }
    }
}
