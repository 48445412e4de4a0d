using Confluent.Kafka;

namespace KafkaEventSourcing.Streamiz.Tests;

public sealed class StreamClientsTests
{
    // Librdkafka sends a heartbeat every three seconds: a session of two ended after each assignment, and the streams never came forward.
    [Theory]
    [InlineData(1_000)]
    [InlineData(2_000)]
    [InlineData(20_000)]
    [InlineData(600_000)]
    public void Heartbeats_come_several_times_within_a_session(int session)
    {
        var config = new ConsumerConfig();
        StreamClients.SetSession(config, session);
        config.SessionTimeoutMs.ShouldBe(session);
        config.HeartbeatIntervalMs.ShouldNotBeNull().ShouldBeInRange(1, Math.Min(session / 3, 3_000));
    }
}
