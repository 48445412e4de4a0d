using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.EventLog.Tests;

public sealed class EventCodecTests
{
    // Bytes that are not UTF-8 were read as U+FFFD: an event under such a key was folded into an aggregate of that name, and keys that
    // differ into the same.
    [Fact]
    public void ReadHead_of_a_key_that_is_not_utf8_is_not_an_event()
    {
        using var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = "http://127.0.0.1:9" });
        var codec = new EventCodec(AvroMessageSerde.Create(registry, []));
        codec.ReadHead(Event("a"u8.ToArray())).AggregateId.ShouldBe(AggregateId.Parse("a"));

        InvalidDataException wrong = Should.Throw<InvalidDataException>(() => codec.ReadHead(Event([(byte)'a', 0xff])));
        wrong.Message.ShouldBe("The record events 2@7 is not an event: Its key must be the aggregate id: it is not UTF-8.");
        wrong.InnerException.ShouldBeOfType<ForeignRecordException>();
    }

    [Fact]
    public void AggregateOf_keys_is_the_aggregate_or_none()
    {
        RecordIds.AggregateOf("a/ü"u8.ToArray()).ShouldBe(AggregateId.Parse("a/ü"));
        RecordIds.AggregateOf([0xc3]).ShouldBe(default);
        RecordIds.AggregateOf([]).ShouldBe(default);
        RecordIds.AggregateOf(null).ShouldBe(default);
    }

    private static ConsumeResult<byte[], byte[]> Event(byte[] key) => new()
    {
        TopicPartitionOffset = new TopicPartitionOffset("events", 2, 7),
        Message = new Message<byte[], byte[]>
        {
            Key = key,
            Value = [],
            Headers = new Headers
            {
                { CloudEventHeaders.Sequence, CloudEventHeaders.Encode(1) },
                { CloudEventHeaders.Time, CloudEventHeaders.Encode(DateTimeOffset.UnixEpoch) },
                { CloudEventHeaders.CausationId, "c"u8.ToArray() },
            },
        },
    };
}
