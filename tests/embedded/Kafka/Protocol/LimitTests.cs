using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Tests.Log;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>A client that breaks a limit loses its own connection, and nobody else's.</summary>
public sealed class LimitTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Connection_beyond_the_limit_is_closed_and_the_others_are_served()
    {
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions { MaxConnections = 2 },
            cancellationToken: Cancellation);
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
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(
            new EmbeddedKafkaOptions { RequestStall = TimeSpan.FromMilliseconds(200) }, cancellationToken: Cancellation);
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
        var clock = new ManualClock();
        var options = new EmbeddedKafkaOptions();
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(options, timeProvider: clock, cancellationToken: Cancellation);
        using var client = new RawClient(kafka);
        CreateTopicsRequest create = new()
        {
            Topics = [new CreateTopicsRequest.CreatableTopic { Name = "t", NumPartitions = 1, ReplicationFactor = 1 }],
        };
        client.Ask<CreateTopicsRequest, CreateTopicsResponse>(create, 7, CreateTopicsResponse.Read).Topics[0].ErrorCode.ShouldBe((short)0);

        // Sent together: who has the first answer knows that the broker has the fetch.
        using var waiting = new RawClient(kafka);
        FetchRequest fetch = new()
        {
            MaxBytes = 1_000,
            MinBytes = 1,
            MaxWaitMs = int.MaxValue,
            Topics = [new FetchRequest.TopicItem
            {
                Name = "t", Partitions = [new FetchRequest.TopicItem.PartitionItem { PartitionMaxBytes = 1_000 }],
            }],
        };
        waiting.Send([.. RawClient.Frame(RawClient.ApiOf<ApiVersionsRequest>(), 0, _ => { }),
            .. RawClient.Frame(RawClient.ApiOf<FetchRequest>(), 12, writer => fetch.Write(writer, 12))]);
        waiting.Receive().ShouldNotBeNull();

        using var idle = new RawClient(kafka);
        IsServed(idle);
        Task<byte[]?> closed = Task.Run(idle.Receive, Cancellation);
        while (!closed.IsCompleted)
        {
            clock.Advance(options.ConnectionMaxIdle * 1.1); // again, for it may have answered only after the last time
            await Task.WhenAny(closed, Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Cancellation));
        }

        (await closed).ShouldBeNull();
        clock.Advance(TimeSpan.FromMilliseconds(fetch.MaxWaitMs));
        waiting.Answer<FetchRequest, FetchResponse>(12, FetchResponse.Read).Responses[0].Partitions[0].ErrorCode.ShouldBe((short)0);
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
        client.Ask<ApiVersionsRequest, ApiVersionsResponse>(new ApiVersionsRequest(), 0, ApiVersionsResponse.Read).ErrorCode
            .ShouldBe((short)0);
}
