using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>A client that breaks a limit loses its own connection, and nobody else's.</summary>
public sealed class LimitTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Connection_beyond_the_limit_is_closed_and_the_others_are_served()
    {
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions { MaxConnections = 2 }, cancellationToken: Cancellation);
        using var first = new RawClient(kafka);
        using var second = new RawClient(kafka);
        IsServed(first);
        IsServed(second);
        using var third = new RawClient(kafka);
        third.Receive().ShouldBeNull();
        IsServed(first);
        IsServed(second);
    }

    [Fact]
    public async Task Request_that_does_not_go_on_is_given_up()
    {
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions { RequestStall = TimeSpan.FromMilliseconds(200) }, cancellationToken: Cancellation);
        using var half = new RawClient(kafka);
        using var idle = new RawClient(kafka);
        IsServed(idle);
        half.Send([0, 0, 0, 100, 0, 18]);
        half.Receive().ShouldBeNull();
        IsServed(idle);
    }

    [Fact]
    public async Task Idle_connection_is_closed_but_not_one_that_waits_for_its_answer()
    {
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions { ConnectionMaxIdle = TimeSpan.FromSeconds(1), RequestStall = TimeSpan.FromSeconds(1) }, cancellationToken: Cancellation);
        using var idle = new RawClient(kafka);
        IsServed(idle);
        using var waiting = new RawClient(kafka);
        CreateTopicsRequest create = new() { Topics = [new CreateTopicsRequest.CreatableTopic { Name = "t", NumPartitions = 1, ReplicationFactor = 1 }] };
        waiting.Ask<CreateTopicsRequest, CreateTopicsResponse>(create, 7, CreateTopicsResponse.Read).Topics[0].ErrorCode.ShouldBe((short)0);
        FetchRequest fetch = new()
        {
            MaxBytes = 1_000,
            MinBytes = 1,
            MaxWaitMs = 3_000,
            Topics = [new FetchRequest.TopicItem { Name = "t", Partitions = [new FetchRequest.TopicItem.PartitionItem { PartitionMaxBytes = 1_000 }] }],
        };
        waiting.Ask<FetchRequest, FetchResponse>(fetch, 12, FetchResponse.Read).Responses[0].Partitions[0].ErrorCode.ShouldBe((short)0);
        idle.Receive().ShouldBeNull();
    }

    [Fact]
    public async Task Many_silent_connections_leave_the_broker_usable()
    {
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions(), cancellationToken: Cancellation);
        var silent = new List<RawClient>();
        try
        {
            for (int i = 0; i < 300; i++)
            {
                silent.Add(new RawClient(kafka));
                silent[^1].Send([0x05, 0xf0, 0, 0, 1]); // announces some 99 MB
            }

            using var client = new RawClient(kafka);
            IsServed(client);
        }
        finally
        {
            silent.ForEach(s => s.Dispose());
        }
    }

    private static void IsServed(RawClient client) =>
        client.Ask<ApiVersionsRequest, ApiVersionsResponse>(new ApiVersionsRequest(), 0, ApiVersionsResponse.Read).ErrorCode.ShouldBe((short)0);
}
