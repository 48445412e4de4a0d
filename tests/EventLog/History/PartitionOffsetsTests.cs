using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.EventLog.Tests;

/// <summary>
/// Metadata names a leader 0.2 to 1 s before the broker serves the partition: a first start on new topics failed with "Not leader for
/// partition", as librdkafka gives that answer to the caller.
/// </summary>
public sealed class PartitionOffsetsTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly MockCluster _cluster = new(brokers: 3);
    private readonly TopicFamily _topics = new("app", "thing");

    public PartitionOffsetsTests()
    {
        foreach (string topic in (string[])[_topics.Commands, _topics.Events, _topics.Replies, _topics.DeadLetters])
            _cluster.CreateTopic(topic, partitions: 2, replicas: 3);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _cluster.Dispose();

    [Theory]
    [InlineData(ErrorCode.NotLeaderForPartition)]
    [InlineData(ErrorCode.LeaderNotAvailable)]
    [InlineData(ErrorCode.UnknownTopicOrPart)]
    [InlineData(ErrorCode.FencedLeaderEpoch)]
    [InlineData(ErrorCode.KafkaStorageError)]
    public async Task Query_of_a_leader_that_does_not_serve_yet_is_answered_once_it_does(ErrorCode refusal)
    {
        _cluster.Refuse(MockCluster.ListOffsets, refusal, 7);
        using IConsumer<byte[], byte[]> consumer = Consumer();
        WatermarkOffsets bounds = await Task.Run(() =>
            PartitionOffsets.Query(consumer, new TopicPartition(_topics.Events, 1), Patience, Cancellation), Cancellation);
        (bounds.Low.Value, bounds.High.Value).ShouldBe((0L, 0L));
    }

    [Fact]
    public async Task Offsets_at_a_time_of_a_leader_that_does_not_serve_yet_are_answered_once_it_does()
    {
        _cluster.Refuse(MockCluster.ListOffsets, ErrorCode.NotLeaderForPartition, 5);
        using IConsumer<byte[], byte[]> consumer = Consumer();
        var partition = new TopicPartition(_topics.Events, 1);
        IReadOnlyDictionary<TopicPartition, long> offsets =
            await Task.Run(() =>
                PartitionOffsets.At(consumer, [new TopicPartitionTimestamp(partition, new Timestamp(1_000, TimestampType.CreateTime))],
                    Patience, Cancellation), Cancellation);
        offsets.Keys.ShouldBe([partition]);
    }

    [Fact]
    public async Task List_of_leaders_that_do_not_serve_yet_is_answered_once_they_do()
    {
        _cluster.Refuse(MockCluster.ListOffsets, ErrorCode.NotLeaderForPartition, 9);
        using var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = "http://127.0.0.1:9" });
        IReadOnlyDictionary<int, long> ends = await new HistoryReader(_cluster.Connection, _topics, AvroMessageSerde.Create(registry, []))
            .EndOffsetsAsync(Cancellation);
        ends.OrderBy(e => e.Key).ShouldBe([new(0, 0), new(1, 0)]);
    }

    [Fact]
    public async Task Dead_letters_and_their_client_wait_for_a_leader_that_does_not_serve_yet()
    {
        using var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = "http://127.0.0.1:9" });
        _cluster.Refuse(MockCluster.ListOffsets, ErrorCode.NotLeaderForPartition, 3);
        (await Task.Run(() => new DeadLetterReader(_cluster.Connection, _topics.DeadLetters).Read(1, 0, withResolved: true, _ => { },
            Cancellation), Cancellation)).ShouldBeEmpty();
        _cluster.Refuse(MockCluster.ListOffsets, ErrorCode.NotLeaderForPartition, 3);
        await Task.Run(() => new DeadLetterClient(_cluster.Connection, _topics, AvroMessageSerde.Create(registry, []),
            TimeProvider.System).Dispose(), Cancellation);
    }

    // A broker that was late gave offset -1001 and no error: a node took it for a log that has lost its events, and halted its partitions.
    [Fact]
    public async Task List_that_is_not_answered_in_time_is_an_error()
    {
        _cluster.Delay(MockCluster.ListOffsets, TimeSpan.FromMinutes(1));
        using IAdminClient admin = new AdminClientBuilder(_cluster.Connection.Admin()).SetLogHandler((_, _) => { }).SetErrorHandler(
            (_, _) => { }).Build();
        KafkaException told = await Should.ThrowAsync<KafkaException>(PartitionOffsets.ListAsync(admin,
            [new TopicPartition(_topics.Events, 0), new TopicPartition(_topics.Events, 1)], OffsetSpec.Latest(), TimeSpan.FromSeconds(2),
            Cancellation));
        told.Error.Code.ShouldBe(ErrorCode.Local_TimedOut);
    }

    [Fact]
    public async Task Query_that_is_refused_to_the_end_names_partition_leader_and_reason()
    {
        _cluster.Refuse(MockCluster.ListOffsets, ErrorCode.NotLeaderForPartition, 10_000);
        using IConsumer<byte[], byte[]> consumer = Consumer();
        KafkaException told = await Should.ThrowAsync<KafkaException>(
            Task.Run(() => PartitionOffsets.Query(consumer, new TopicPartition(_topics.Events, 1), TimeSpan.FromSeconds(2), Cancellation),
                Cancellation));
        told.Error.Code.ShouldBe(ErrorCode.NotLeaderForPartition);
        told.Error.Reason.ShouldStartWith(
            $"The offsets of {_topics.Events}, partition 1, cannot be read within 2 s (its leader is broker ");
        told.Error.Reason.ShouldContain(" at 127.0.0.1:");
        told.Error.Reason.ShouldEndWith("): Broker: Not leader for partition");
    }

    [Fact]
    public async Task Query_that_is_refused_for_good_is_told_at_once()
    {
        _cluster.Refuse(MockCluster.ListOffsets, ErrorCode.TopicAuthorizationFailed, 10_000);
        using IConsumer<byte[], byte[]> consumer = Consumer();
        KafkaException told = await Should.ThrowAsync<KafkaException>(
            Task.Run(() => PartitionOffsets.Query(consumer, new TopicPartition(_topics.Events, 0), TimeSpan.FromMinutes(10), Cancellation),
                Cancellation));
        told.Error.Reason.ShouldEndWith("Broker: Topic authorization failed");
    }

    private IConsumer<byte[], byte[]> Consumer() =>
        new ConsumerBuilder<byte[], byte[]>(_cluster.Connection.BoundedReader("test")).SetLogHandler((_, _) => { }).SetErrorHandler(
            (_, _) => { }).Build();
}
