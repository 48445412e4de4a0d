using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Tests.Log;
using KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Cluster;

/// <summary>Each discomfort of a cluster, request by request, on a clock that the test moves: nothing is waited for.</summary>
public sealed class ClusterTests : IAsyncLifetime
{
    private const sbyte TopicType = 2;
    private const sbyte OfCluster = 3;
    private static readonly EmbeddedClusterOptions Options = new();
    private readonly ManualClock _clock = new();
    private readonly Dictionary<int, RawClient> _clients = [];
    private EmbeddedKafka _kafka = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        _kafka = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions { Cluster = Options }, timeProvider: _clock,
            cancellationToken: Cancellation);

    public async ValueTask DisposeAsync()
    {
        foreach (RawClient client in _clients.Values)
            client.Dispose();
        await _kafka.DisposeAsync();
    }

    [Fact]
    public void All_brokers_are_told_by_each_and_any_of_them_is_the_controller()
    {
        var controllers = new HashSet<int>();
        for (int i = 0; i < 30; i++)
        {
            MetadataResponse metadata = Metadata(1 + (i % 3));
            metadata.Brokers.Select(b => b.NodeId).ShouldBe([1, 2, 3]);
            metadata.Brokers.Select(b => $"{b.Host}:{b.Port}").ShouldBe(_kafka.BootstrapServers.Split(','));
            controllers.Add(metadata.ControllerId);
        }

        controllers.Order().ShouldBe([1, 2, 3]);
    }

    [Fact]
    public void Topic_is_seen_late_and_its_leader_is_named_before_it_serves()
    {
        Create("t", partitions: 3, factor: 3).ErrorCode.ShouldBe((short)ErrorCode.None);
        new[] { 1, 2, 3 }.ShouldContain(node => Metadata(node, "t").Topics[0].ErrorCode == (short)ErrorCode.UnknownTopicOrPartition,
            "one of them does not know it yet");
        _clock.Advance(Options.TopicDelay);
        MetadataResponse.TopicItem topic = Metadata(1, "t").Topics[0];
        topic.ErrorCode.ShouldBe((short)ErrorCode.None);
        topic.Partitions.Select(p => p.LeaderId).Order().ShouldBe([1, 2, 3]);
        topic.Partitions.ShouldAllBe(p => p.ReplicaNodes.Count == 3 && p.IsrNodes.Count == 3);
        int leader = topic.Partitions[0].LeaderId;
        EndOffset(leader).ShouldBe(ErrorCode.NotLeaderOrFollower, "it does not serve yet");
        Produce(leader).ShouldBe(ErrorCode.NotLeaderOrFollower);
        _clock.Advance(Options.LeaderDelay);
        EndOffset(leader).ShouldBe(ErrorCode.None);
        Produce(leader).ShouldBe(ErrorCode.None);
        foreach (int other in (int[])[1, 2, 3])
        {
            ErrorCode expected = other == leader ? ErrorCode.None : ErrorCode.NotLeaderOrFollower;
            EndOffset(other).ShouldBe(expected);
            Produce(other).ShouldBe(expected);
            Fetch(other).ShouldBe(expected);
        }
    }

    [Fact]
    public void Replication_beyond_the_brokers_is_refused_and_without_a_factor_it_is_one()
    {
        Create("t", factor: 4).ErrorCode.ShouldBe((short)ErrorCode.InvalidReplicationFactor);
        CreateTopicsResponse.TopicItem created = Create("t", factor: -1);
        ((ErrorCode)created.ErrorCode, created.ReplicationFactor).ShouldBe((ErrorCode.None, (short)1));
        Serve();
        Metadata(1, "t").Topics[0].Partitions[0].ReplicaNodes.Count.ShouldBe(1);
    }

    [Fact]
    public void Least_in_sync_replicas_are_a_default_of_the_cluster()
    {
        Create("t");
        Serve();
        DescribeConfigsResponse.Result.Config config = Ask(1,
            new DescribeConfigsRequest
            {
                Resources = [new DescribeConfigsRequest.Resource
                {
                    ResourceType = TopicType, ResourceName = "t", ConfigurationKeys = ["min.insync.replicas"],
                }],
            }, 4, DescribeConfigsResponse.Read).Results[0].Configs[0];
        (config.Value, config.ConfigSource).ShouldBe(("1", OfCluster));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Coordinator_is_one_broker_that_loads_first(sbyte keyType)
    {
        int coordinator = Coordinator(keyType);
        ErrorCode AskFor(int node) => keyType == 0
            ? (ErrorCode)Ask(node, new HeartbeatRequest { GroupId = "g", MemberId = "m" }, 4, HeartbeatResponse.Read).ErrorCode
            : (ErrorCode)Ask(node, new InitProducerIdRequest { TransactionalId = "x", TransactionTimeoutMs = 1_000 }, 4,
                InitProducerIdResponse.Read).ErrorCode;
        foreach (int node in (int[])[1, 2, 3])
            AskFor(node).ShouldBe(node == coordinator ? ErrorCode.CoordinatorLoadInProgress : ErrorCode.NotCoordinator);
        _clock.Advance(Options.CoordinatorLoad);
        AskFor(coordinator).ShouldBe(keyType == 0 ? ErrorCode.UnknownMemberId : ErrorCode.None);
    }

    [Fact]
    public void Markers_follow_after_the_answer_and_the_next_transaction_waits_for_them()
    {
        Create("t");
        Serve();
        int coordinator = Coordinator(1);
        int leader = LeaderOf("t");
        InitProducerIdResponse producer = Ask(coordinator,
            new InitProducerIdRequest { TransactionalId = "x", TransactionTimeoutMs = 60_000 }, 4, InitProducerIdResponse.Read);
        AddPartitions(coordinator, producer).ShouldBe(ErrorCode.None);
        Produce(leader, TestLog.Batch([("k", "v")], _clock.Ms, producer.ProducerId, producer.ProducerEpoch, 0, transactional: true), "x")
            .ShouldBe(ErrorCode.None);
        var end = new EndTxnRequest
        {
            TransactionalId = "x",
            ProducerId = producer.ProducerId,
            ProducerEpoch = producer.ProducerEpoch,
            Committed = true,
        };
        Ask(coordinator, end, 3, EndTxnResponse.Read).ErrorCode.ShouldBe((short)ErrorCode.None);

        AddPartitions(coordinator, producer).ShouldBe(ErrorCode.ConcurrentTransactions);
        Ask(coordinator, new AddOffsetsToTxnRequest
        {
            TransactionalId = "x",
            ProducerId = producer.ProducerId,
            ProducerEpoch = producer.ProducerEpoch,
            GroupId = "g",
        }, 3, AddOffsetsToTxnResponse.Read).ErrorCode.ShouldBe((short)ErrorCode.ConcurrentTransactions);
        Ask(coordinator, end, 3, EndTxnResponse.Read).ErrorCode.ShouldBe((short)ErrorCode.ConcurrentTransactions);
        Ask(coordinator, new InitProducerIdRequest { TransactionalId = "x", TransactionTimeoutMs = 60_000 }, 4,
            InitProducerIdResponse.Read).ErrorCode.ShouldBe((short)ErrorCode.ConcurrentTransactions);
        StableEnd(leader).ShouldBe(0);
        _clock.Advance(Options.MarkerDelay + TimeSpan.FromMilliseconds(2));
        StableEnd(leader).ShouldBe(2);
        AddPartitions(coordinator, producer).ShouldBe(ErrorCode.None);
    }

    [Fact]
    public async Task Leaders_move_from_a_broker_that_stops_under_a_new_epoch()
    {
        Create("t", factor: 3);
        Serve();
        int leader = LeaderOf("t");
        Produce(leader).ShouldBe(ErrorCode.None);
        await _kafka.StopBroker(leader);
        int other = leader == 1 ? 2 : 1;
        MetadataResponse metadata = Metadata(other, "t");
        metadata.Brokers.Select(b => b.NodeId).ShouldNotContain(leader);
        MetadataResponse.TopicItem.PartitionItem partition = metadata.Topics[0].Partitions[0];
        partition.LeaderId.ShouldNotBe(leader);
        (partition.LeaderEpoch, partition.IsrNodes.Count).ShouldBe((1, 2));
        partition.OfflineReplicas.ShouldBe([leader]);
        Produce(partition.LeaderId).ShouldBe(ErrorCode.NotLeaderOrFollower, "named, and not serving yet");
        Serve();
        Fetch(partition.LeaderId, epoch: 0).ShouldBe(ErrorCode.FencedLeaderEpoch);
        Produce(partition.LeaderId).ShouldBe(ErrorCode.None);
        OffsetForLeaderEpochResponse.TopicItem.PartitionItem first = Ask(
            partition.LeaderId,
            new OffsetForLeaderEpochRequest
            {
                Topics = [new OffsetForLeaderEpochRequest.TopicItem
                {
                    Topic = "t",
                    Partitions = [new OffsetForLeaderEpochRequest.TopicItem.PartitionItem { CurrentLeaderEpoch = 1, LeaderEpoch = 0 }],
                }],
            },
            4, OffsetForLeaderEpochResponse.Read).Topics[0].Partitions[0];
        (first.LeaderEpoch, first.EndOffset).ShouldBe((0, 1L), "the first epoch ends where the second begins");

        _kafka.StartBroker(leader);
        Metadata(leader, "t").Topics[0].Partitions[0].IsrNodes.Count.ShouldBe(3);
        Produce(leader).ShouldBe(ErrorCode.NotLeaderOrFollower, "who comes back follows");
    }

    [Fact]
    public async Task Dead_broker_is_told_as_a_leader_until_it_is_missed()
    {
        Create("t", factor: 3);
        Create("single");
        Serve();
        int dead = LeaderOf("t");
        int alive = dead == 1 ? 2 : 1;
        await _kafka.StopBroker(dead, dies: true);
        Metadata(alive, "t").Topics[0].Partitions[0].LeaderId.ShouldBe(dead);
        Enumerable.Range(0, 30).Select(_ => Metadata(alive).ControllerId).ShouldContain(dead, "a controller that is dead");
        _clock.Advance(Options.BrokerSessionTimeout);
        Metadata(alive, "t").Topics[0].Partitions[0].LeaderId.ShouldNotBe(dead);
        Enumerable.Range(0, 30).Select(_ => Metadata(alive).ControllerId).ShouldNotContain(dead);
    }

    [Fact]
    public async Task Partition_with_one_replica_has_no_leader_while_its_broker_is_away()
    {
        Create("t");
        Serve();
        int leader = LeaderOf("t");
        await _kafka.StopBroker(leader);
        MetadataResponse.TopicItem.PartitionItem partition = Metadata(leader == 1 ? 2 : 1, "t").Topics[0].Partitions[0];
        ((ErrorCode)partition.ErrorCode, partition.LeaderId).ShouldBe((ErrorCode.LeaderNotAvailable, -1));
        _kafka.StartBroker(leader);
        Serve();
        LeaderOf("t").ShouldBe(leader);
        Reconnect(leader);
        Produce(leader).ShouldBe(ErrorCode.None);
    }

    [Fact]
    public async Task Writes_that_wait_for_more_replicas_than_are_in_sync_are_refused()
    {
        Create("t", factor: 3,
            configs: [new CreateTopicsRequest.CreatableTopic.CreatableConfig { Name = "min.insync.replicas", Value = "3" }]);
        Serve();
        Produce(LeaderOf("t")).ShouldBe(ErrorCode.None);
        await _kafka.StopBroker(LeaderOf("t") == 1 ? 2 : 1);
        Serve();
        Produce(LeaderOf("t")).ShouldBe(ErrorCode.NotEnoughReplicas);
    }

    private void Serve() => _clock.Advance(Options.TopicDelay + Options.LeaderDelay + Options.CoordinatorLoad);

    private RawClient ClientOf(int node) => _clients.TryGetValue(node, out RawClient? client)
        ? client
        : _clients[node] = new RawClient(_kafka.BootstrapServers.Split(',')[node - 1]);

    private void Reconnect(int node)
    {
        if (_clients.Remove(node, out RawClient? client))
            client.Dispose();
    }

    private TResponse Ask<TRequest, TResponse>(int node, TRequest request, short version, RawClient.ReadMessage<TResponse> read)
        where TRequest : IKafkaRequest<TRequest> => ClientOf(node).Ask(request, version, read);

    // From one that serves.
    private int LeaderOf(string topic)
    {
        foreach (int node in (int[])[1, 2, 3])
        {
            try
            {
                return Metadata(node, topic).Topics[0].Partitions[0].LeaderId;
            }
            catch (Exception gone) when (gone is InvalidOperationException or System.Net.Sockets.SocketException)
            {
                Reconnect(node);
            }
        }

        throw new InvalidOperationException("No broker answers.");
    }

    private MetadataResponse Metadata(int node, params string[] topics)
    {
        if (_clients.ContainsKey(node))
            Reconnect(node);
        return Ask(node, new MetadataRequest { Topics = [.. topics.Select(t => new MetadataRequest.MetadataRequestTopic { Name = t })] },
            12, MetadataResponse.Read);
    }

    private int Coordinator(sbyte keyType) => Ask(1, new FindCoordinatorRequest { KeyType = keyType, CoordinatorKeys = ["key"] }, 4,
        FindCoordinatorResponse.Read).Coordinators[0].NodeId;

    private CreateTopicsResponse.TopicItem Create(
        string topic, int partitions = 1, short factor = 1, List<CreateTopicsRequest.CreatableTopic.CreatableConfig>? configs = null) =>
        Ask(1, new CreateTopicsRequest
        {
            Topics = [new CreateTopicsRequest.CreatableTopic
            {
                Name = topic,
                NumPartitions = partitions,
                ReplicationFactor = factor,
                Configs = configs ?? [],
            }],
        }, 7, CreateTopicsResponse.Read).Topics[0];

    private ErrorCode AddPartitions(int node, InitProducerIdResponse producer) => (ErrorCode)Ask(
        node,
        new AddPartitionsToTxnRequest
        {
            TransactionalId = "x",
            ProducerId = producer.ProducerId,
            ProducerEpoch = producer.ProducerEpoch,
            Topics = [new AddPartitionsToTxnRequest.TopicItem { Name = "t", Partitions = [0] }],
        },
        3, AddPartitionsToTxnResponse.Read).Results[0].Partitions[0].PartitionErrorCode;

    private ErrorCode Produce(int node) => Produce(node, TestLog.Batch([("k", "v")], _clock.Ms), null);

    private ErrorCode Produce(int node, byte[] batch, string? transactionalId) => (ErrorCode)Ask(
        node,
        new ProduceRequest
        {
            Acks = -1,
            TransactionalId = transactionalId,
            TopicData = [new ProduceRequest.TopicItem
            {
                Name = "t", PartitionData = [new ProduceRequest.TopicItem.PartitionItem { Records = batch }],
            }],
        },
        9, ProduceResponse.Read).Responses[0].PartitionResponses[0].ErrorCode;

    private ListOffsetsResponse.TopicItem.PartitionItem Offsets(int node, sbyte isolation) => Ask(
        node,
        new ListOffsetsRequest
        {
            ReplicaId = -1,
            IsolationLevel = isolation,
            Topics = [new ListOffsetsRequest.TopicItem
            {
                Name = "t", Partitions = [new ListOffsetsRequest.TopicItem.PartitionItem { Timestamp = -1 }],
            }],
        },
        7, ListOffsetsResponse.Read).Topics[0].Partitions[0];

    private ErrorCode EndOffset(int node) => (ErrorCode)Offsets(node, 0).ErrorCode;

    private long StableEnd(int node) => Offsets(node, 1).Offset;

    private ErrorCode Fetch(int node, int epoch = -1) => (ErrorCode)Ask(
        node,
        new FetchRequest
        {
            MaxBytes = 1_000,
            SessionEpoch = -1,
            Topics = [new FetchRequest.TopicItem
            {
                Name = "t",
                Partitions = [new FetchRequest.TopicItem.PartitionItem { CurrentLeaderEpoch = epoch, PartitionMaxBytes = 1_000 }],
            }],
        },
        12, FetchResponse.Read).Responses[0].Partitions[0].ErrorCode;
}
