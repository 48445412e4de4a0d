using System.Collections.Concurrent;
using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;
using TopicPartition = Confluent.Kafka.TopicPartition;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Clients;

/// <summary>
/// Consumers of Confluent's client change from the classic to the consumer protocol (KIP-848) and back, one by one, while the group works.
/// </summary>
public sealed class MigrationTests : IAsyncLifetime
{
    private const int Partitions = 6;
    private const int Size = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly string _directory = Directory.CreateTempSubdirectory("kafka-migration-").FullName;
    private readonly List<GroupMember> _members = [];
    private readonly ConcurrentDictionary<string, byte> _consumed = [];
    private EmbeddedKafka _kafka = null!;
    private IProducer<string, string> _producer = null!;
    private PartitionAssignmentStrategy _strategy = PartitionAssignmentStrategy.Range;
    private int _produced;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await Start(port: 0);
        _producer = new ProducerBuilder<string, string>(new ProducerConfig
        {
            BootstrapServers = _kafka.BootstrapServers, EnableIdempotence = true, LingerMs = 0,
        }).SetLogHandler((_, _) => { }).Build();
        using IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = _kafka.BootstrapServers }).Build();
        await admin.CreateTopicsAsync([new TopicSpecification { Name = "t", NumPartitions = Partitions, ReplicationFactor = 1 }]);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (GroupMember member in _members)
            member.Dispose();
        _producer.Dispose();
        await _kafka.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData(PartitionAssignmentStrategy.Range)]
    [InlineData(PartitionAssignmentStrategy.CooperativeSticky)]
    public async Task Consumers_are_replaced_one_by_one_by_those_of_the_other_protocol_and_back_and_no_record_is_missed(
        PartitionAssignmentStrategy strategy)
    {
        _strategy = strategy;
        await Join(GroupProtocol.Classic);
        if (strategy == PartitionAssignmentStrategy.CooperativeSticky)
            await Join(GroupProtocol.Consumer); // see the next test: after a second rebalance it would be too late
        while (_members.Count < Size)
            await Join(GroupProtocol.Classic);

        await ReplaceAll(GroupProtocol.Consumer);
        (GroupType(), MemberTypes()).ShouldBe(("consumer", "1 1 1"));
        await ReplaceAll(GroupProtocol.Classic);
        await Until(() => GroupType() == "classic" && IsBalanced(), "the group does not become classic again");
        Finish();
    }

    // Apache Kafka refuses what would lose user data (KAFKA-18134), and librdkafka's leader puts what the cooperative-sticky assignor of a
    // member knew into the member's assignment.
    [Fact]
    public async Task Cooperative_sticky_group_is_not_upgraded_once_it_has_been_rebalanced()
    {
        _strategy = PartitionAssignmentStrategy.CooperativeSticky;
        await Join(GroupProtocol.Classic);
        await Join(GroupProtocol.Classic);
        using var client = new RawClient(_kafka);
        ConsumerGroupHeartbeatResponse refused = client.Ask<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse>(
            new ConsumerGroupHeartbeatRequest
            {
                GroupId = "g",
                MemberId = "m",
                RebalanceTimeoutMs = 1_000,
                SubscribedTopicNames = ["t"],
                TopicPartitions = [],
            }, 1, ConsumerGroupHeartbeatResponse.Read);
        refused.ErrorMessage!.ShouldContain("an unsupported custom assignor is in use");
        GroupType().ShouldBe("classic");
        Finish();
    }

    [Fact]
    public async Task Mixed_group_goes_on_when_the_broker_has_restarted()
    {
        await Join(GroupProtocol.Classic);
        await Join(GroupProtocol.Consumer);
        int port = int.Parse(_kafka.BootstrapServers.Split(':')[1], CultureInfo.InvariantCulture);
        await _kafka.DisposeAsync();
        await Start(port);

        int before = _produced;
        await Until(() => IsBalanced()
            && _produced > before + Partitions
            && Enumerable.Range(before, Partitions).All(n => _consumed.ContainsKey($"{n}")), "nothing is consumed after the restart");
        MemberTypes().ShouldBe("0 1");
        await Join(GroupProtocol.Consumer);
        Finish();
        _members.Sum(m => m.Lost).ShouldBe(0);
    }

    private async Task Start(int port) => _kafka = await EmbeddedKafka.StartAsync(
        new EmbeddedKafkaOptions { DataDirectory = _directory, Port = port, ConsumerHeartbeatInterval = TimeSpan.FromMilliseconds(100) },
        cancellationToken: Cancellation);

    // A new consumer comes before an old one goes, as when a deployment is rolled.
    private async Task ReplaceAll(GroupProtocol protocol)
    {
        for (int i = 0; i < Size; i++)
        {
            await Join(protocol);
            GroupType().ShouldBe("consumer");
            GroupMember oldest = _members[0];
            _members.RemoveAt(0);
            oldest.Dispose();
            oldest.Failure.ShouldBeNull();
            await Until(IsBalanced, $"the partitions of the consumer that {protocol} consumer {i} replaces are not taken over");
        }
    }

    private async Task Join(GroupProtocol protocol)
    {
        var config = new ConsumerConfig
        {
            BootstrapServers = _kafka.BootstrapServers,
            GroupId = "g",
            GroupProtocol = protocol,
            AutoOffsetReset = AutoOffsetReset.Earliest,
            AutoCommitIntervalMs = 100,
        };
        if (protocol == GroupProtocol.Classic)
            (config.PartitionAssignmentStrategy, config.HeartbeatIntervalMs, config.SessionTimeoutMs) = (_strategy, 100, 30_000);
        _members.Add(new GroupMember(config, "t", _consumed));
        await Until(IsBalanced, $"the {protocol} consumer {_members.Count} gets no partitions of its own");
    }

    private bool IsBalanced() =>
        _members.SelectMany(m => m.Assignment).Order().SequenceEqual(Enumerable.Range(0, Partitions))
        && _members.TrueForAll(m =>
            m.Assignment.Count >= Partitions / _members.Count && m.Assignment.Count <= (Partitions / _members.Count) + 1);

    // Produces until the group has come where it should.
    private async Task Until(Func<bool> reached, string otherwise)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (!reached())
        {
            await _producer.ProduceAsync(new TopicPartition("t", _produced % Partitions),
                new Message<string, string> { Value = $"{_produced++}" }, Cancellation);
            Check(start, otherwise);
        }
    }

    private void Check(long start, string otherwise)
    {
        _members.Select(m => m.Failure).ShouldAllBe(f => f == null);
        (TimeProvider.System.GetElapsedTime(start) < Patience).ShouldBeTrue(
            $"{otherwise}: {string.Join(" | ", _members.Select(m => string.Join(' ', m.Assignment)))}; {_consumed.Count} of {_produced} "
                + $"consumed; the group is of the type {GroupType()}");
    }

    // Everything is consumed, and committed up to the end.
    private void Finish()
    {
        TopicPartition[] partitions = [.. Enumerable.Range(0, Partitions).Select(p => new TopicPartition("t", p))];
        using IConsumer<string, string> reader = new ConsumerBuilder<string, string>(
            new ConsumerConfig { BootstrapServers = _kafka.BootstrapServers, GroupId = "g" }).SetLogHandler((_, _) => { }).Build();
        Offset[] ends = [.. partitions.Select(p => reader.QueryWatermarkOffsets(p, Patience).High)];
        long start = TimeProvider.System.GetTimestamp();
        while (_consumed.Count < _produced || !reader.Committed(partitions, Patience).Select(c => c.Offset).SequenceEqual(ends))
            Check(start, "not everything is consumed and committed");
        reader.Close();
    }

    private string GroupType()
    {
        using var client = new RawClient(_kafka);
        return client.Ask<ListGroupsRequest, ListGroupsResponse>(new ListGroupsRequest(), 5, ListGroupsResponse.Read).Groups
            .SingleOrDefault()?.GroupType ?? "none";
    }

    // 0: classic, 1: consumer.
    private string MemberTypes()
    {
        using var client = new RawClient(_kafka);
        return string.Join(' ',
            client.Ask<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse>(new ConsumerGroupDescribeRequest { GroupIds = ["g"] },
                1, ConsumerGroupDescribeResponse.Read).Groups.Single().Members.Select(m => m.MemberType).Order());
    }
}
