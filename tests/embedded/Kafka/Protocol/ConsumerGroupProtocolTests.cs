using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>The consumer group protocol (KIP-848), one heartbeat at a time.</summary>
public sealed class ConsumerGroupProtocolTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly string _member = Guid.CreateVersion7().ToString();
    private EmbeddedKafka _kafka = null!;
    private RawClient _client = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _kafka = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions(), cancellationToken: Cancellation);
        _client = new RawClient(_kafka);
    }

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return _kafka.DisposeAsync();
    }

    // librdkafka's test 0045 counts on it: with a name and an expression in one subscription, the first assignment is that of the name.
    [Fact]
    public void Topics_of_a_new_regular_expression_come_with_a_later_heartbeat_than_those_that_are_named()
    {
        Guid named = Create("named");
        Guid matched = Create("matched");
        ConsumerGroupHeartbeatResponse joined = Heartbeat(0, names: ["named"], regex: "mat.*", owned: []);
        Assigned(joined).ShouldBe([named]);

        ConsumerGroupHeartbeatResponse next;
        long start = TimeProvider.System.GetTimestamp();
        while ((next = Heartbeat(joined.MemberEpoch)).Assignment is null)
            (TimeProvider.System.GetElapsedTime(start) < Patience).ShouldBeTrue("the topics of the expression are not assigned");
        Assigned(next).ShouldBe([named, matched], ignoreOrder: true);
        next.MemberEpoch.ShouldBeGreaterThan(joined.MemberEpoch);

        // Who leaves and comes back brings a new expression again.
        Heartbeat(-1).ErrorCode.ShouldBe((short)ErrorCode.None);
        Assigned(Heartbeat(0, names: ["named"], regex: "mat.*", owned: [])).ShouldBe([named]);
    }

    private static IEnumerable<Guid> Assigned(ConsumerGroupHeartbeatResponse response) =>
        response.Assignment!.TopicPartitions.Select(t => t.TopicId);

    private Guid Create(string topic) =>
        _client.Ask<CreateTopicsRequest, CreateTopicsResponse>(new CreateTopicsRequest
        {
            Topics = [new CreateTopicsRequest.CreatableTopic { Name = topic, NumPartitions = 1, ReplicationFactor = 1 }],
        }, 7, CreateTopicsResponse.Read).Topics[0].TopicId;

    private ConsumerGroupHeartbeatResponse Heartbeat(
        int epoch, List<string>? names = null, string? regex = null, List<ConsumerGroupHeartbeatRequest.TopicItem>? owned = null) =>
        _client.Ask<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse>(
            new ConsumerGroupHeartbeatRequest
            {
                GroupId = "g",
                MemberId = _member,
                MemberEpoch = epoch,
                RebalanceTimeoutMs = epoch == 0 ? 10_000 : -1,
                SubscribedTopicNames = names,
                SubscribedTopicRegex = regex,
                TopicPartitions = owned,
            }, 1, ConsumerGroupHeartbeatResponse.Read);
}
