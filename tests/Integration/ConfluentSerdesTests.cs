using Avro.Generic;
using Banking.Domain;
using Confluent.Kafka;
using Confluent.Kafka.SyncOverAsync;
using Confluent.SchemaRegistry;
using Confluent.SchemaRegistry.Serdes;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.Hosting;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>Anybody's producer and consumer with Confluent's own serializers, on our topics.</summary>
public sealed class ConfluentSerdesTests(BankFixture bank)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Foreign_producer_sends_a_command_and_reads_reply_and_event()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(application, null, Cancellation);
        using var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = bank.Servers.Addresses.Registry });
        var serializer = new AvroSerializer<OpenAccount>(registry,
            new AvroSerializerConfig { SubjectNameStrategy = SubjectNameStrategy.TopicRecord, AutoRegisterSchemas = false });
        using IProducer<string, OpenAccount> producer = new ProducerBuilder<string, OpenAccount>(
            new ProducerConfig { BootstrapServers = bank.Servers.Addresses.Kafka, Partitioner = Partitioner.Murmur2Random })
            .SetValueSerializer(serializer.AsSyncOverAsync()).Build();
        var open = new OpenAccount { Owner = "Grace", Currency = "EUR", OverdraftLimit = 5, OpenedOn = new DateOnly(2026, 3, 1) };
        await producer.ProduceAsync($"{application.Name}.account.commands",
            new Message<string, OpenAccount>
            {
                Key = "foreign",
                Value = open,
                Headers = new Headers { { "ce_id", "open-foreign"u8.ToArray() } },
            }, Cancellation);

        ConsumeResult<string, CommandReply> reply = First<CommandReply>(application, "replies", registry);
        reply.Message.Value.Outcome.ShouldBe(ReplyOutcome.Accepted);
        reply.Message.Value.CommandId.ShouldBe("open-foreign");
        ConsumeResult<string, AccountOpened> opened = First<AccountOpened>(application, "events", registry);
        (opened.Message.Key, opened.Message.Value.Owner, opened.Message.Value.OverdraftLimit).ShouldBe(("foreign", "Grace", 5L));
        opened.Offset.Value.ShouldBe(reply.Message.Value.EventOffset);
        opened.Partition.Value.ShouldBe(reply.Message.Value.EventPartition);
        First<GenericRecord>(application, "events", registry).Message.Value["Currency"].ShouldBe("EUR");

        Dictionary<string, string> headers = opened.Message.Headers.ToDictionary(h => h.Key,
            h => System.Text.Encoding.UTF8.GetString(h.GetValueBytes()));
        headers["ce_specversion"].ShouldBe("1.0");
        headers["ce_id"].ShouldBe("foreign/1");
        headers["ce_type"].ShouldBe("Banking.Domain.AccountOpened");
        headers["ce_subject"].ShouldBe("foreign");
        headers["ce_sequence"].ShouldBe("1");
        headers["ce_causationid"].ShouldBe("open-foreign");
    }

    // Confluent's serializer writes the schema's GUID into a header, and no id before the value.
    [Fact]
    public async Task Foreign_producer_that_names_the_schema_in_a_header_is_understood()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(application, null, Cancellation);
        using var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = bank.Servers.Addresses.Registry });
        var serializer = new AvroSerializer<OpenAccount>(registry, new AvroSerializerConfig
        {
            SubjectNameStrategy = SubjectNameStrategy.TopicRecord, AutoRegisterSchemas = false,
            SchemaIdStrategy = SchemaIdSerializerStrategy.Header,
        });
        using IProducer<string, OpenAccount> producer = new ProducerBuilder<string, OpenAccount>(
            new ProducerConfig { BootstrapServers = bank.Servers.Addresses.Kafka, Partitioner = Partitioner.Murmur2Random })
            .SetValueSerializer(serializer.AsSyncOverAsync()).Build();
        var message = new Message<string, OpenAccount>
        {
            Key = "by-guid",
            Value = new OpenAccount { Owner = "Grace", Currency = "EUR", OverdraftLimit = 5, OpenedOn = new DateOnly(2026, 3, 1) },
            Headers = [],
        };
        await producer.ProduceAsync($"{application.Name}.account.commands", message, Cancellation);
        message.Headers.Single(h => h.Key == "__value_schema_id").GetValueBytes().Length.ShouldBe(17);
        ConsumeResult<string, CommandReply> reply = First<CommandReply>(application, "replies", registry);
        (reply.Message.Value.AggregateId, reply.Message.Value.Outcome).ShouldBe(("by-guid", ReplyOutcome.Accepted));
    }

    private ConsumeResult<string, TValue> First<TValue>(
        ApplicationDefinition application, string topic, CachedSchemaRegistryClient registry)
    {
        using IConsumer<string, TValue> consumer = new ConsumerBuilder<string, TValue>(new ConsumerConfig
        {
            BootstrapServers = bank.Servers.Addresses.Kafka,
            GroupId = application.Name,
            EnableAutoCommit = false,
            IsolationLevel = IsolationLevel.ReadCommitted,
        })
            .SetValueDeserializer(new AvroDeserializer<TValue>(registry).AsSyncOverAsync()).Build();
        consumer.Assign([new TopicPartitionOffset($"{application.Name}.account.{topic}", 0, Offset.Beginning),
            new TopicPartitionOffset($"{application.Name}.account.{topic}", 1, Offset.Beginning)]);
        return consumer.Consume(Cancellation);
    }
}
