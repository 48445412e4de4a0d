using System.Buffers.Binary;
using System.Text.Json.Nodes;
using Avro.Generic;
using Avro.IO;
using Banking.Domain;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Embedded.SchemaRegistry;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>A producer's command of a schema that the node has not seen, while the Schema Registry is away.</summary>
public sealed class RegistryAwayTests(BankFixture bank)
{
    // The bank's own, by somebody who knows one field more.
    private const string NewerCredit = """
        {"type":"record","name":"Credit","namespace":"Banking.Domain","fields":[
          {"name":"Amount","type":"long"},{"name":"Currency","type":"string"},{"name":"BookedOn","type":{"type":"int","logicalType":"date"}},
          {"name":"Operation","type":{"type":"enum","name":"Operation","symbols":["CashDeposit","CashWithdrawal","CardWithdrawal","TransferIn","TransferOut","Internal"]}},
          {"name":"Category","type":{"type":"enum","name":"Category","symbols":["None","Interest","PenaltyInterest","StatementFee","Household","Insurance","Pension","LoanPayment"]}},
          {"name":"PartnerBank","type":["null","string"],"default":null},{"name":"PartnerAccount","type":["null","string"],"default":null},{"name":"Colour","type":"string","default":""}]}
        """;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Partition_waits_for_the_registry_and_then_goes_on()
    {
        await using var registry = await FragileRegistry.Start(bank.Servers.Addresses.Kafka!);
        using var log = new WaitingLog();
        await using EventSourcedNode node = await StartNode(registry, log);
        (await node.SendAsync(Movement.Open("a"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        byte[] value = await Encode(registry.Url, node.Application);

        await registry.Stop();
        using (IProducer<string, byte[]> producer = new ProducerBuilder<string, byte[]>(
            new ProducerConfig { BootstrapServers = bank.Servers.Addresses.Kafka }).Build())
            await producer.ProduceAsync($"{node.Application.Name}.account.commands",
                new Message<string, byte[]> { Key = "a", Value = value }, Cancellation);
        await log.Waits.WaitAsync(Cancellation);
        // Behind the one that waits: nothing is skipped, and nothing has stopped.
        Task<CommandResult> behind = node.SendAsync(Movement.Credit("a", 5, "behind"), Cancellation);
        await log.WaitsAgain.WaitAsync(Cancellation);
        node.Completion.IsCompleted.ShouldBeFalse();
        behind.IsCompleted.ShouldBeFalse();

        await registry.StartAgain();
        (await behind).ShouldBeOfType<CommandResult.Accepted>().Version.ShouldBe(3);
        var events = new List<object>();
        await foreach (RecordedEvent recorded in node.Aggregates[0].History.ReadAggregateAsync(AggregateId.Parse("a"), Cancellation))
            events.Add(recorded.Payload);
        events[1..].Cast<AccountCredited>().Select(e => e.Amount).ShouldBe([70, 5]);
    }

    [Fact]
    public async Task Restore_waits_for_the_registry_and_then_goes_on()
    {
        await using var registry = await FragileRegistry.Start(bank.Servers.Addresses.Kafka!);
        using var log = new WaitingLog();
        await using EventSourcedNode node = await StartNode(registry, log);
        await node.SendAsync(Movement.Open("a"), Cancellation);
        await node.SendAsync(Movement.Credit("a", 70), Cancellation);
        Message<byte[], byte[]> newer = await CreditOfNewerVersion(registry.Url, node.Aggregates[0].Topics.Events);
        await registry.Stop();
        using (IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(
            new ProducerConfig { BootstrapServers = bank.Servers.Addresses.Kafka }).Build())
            await producer.ProduceAsync(node.Aggregates[0].Topics.Events, newer, Cancellation);

        // Another writer for a moment: the node restores, and meets an event of a schema that it has not seen.
        using (IProducer<byte[], byte[]> usurper = new ProducerBuilder<byte[], byte[]>(
            new ProducerConfig
            {
                BootstrapServers = bank.Servers.Addresses.Kafka, TransactionalId = $"{node.Application.Name}-account-0",
            }).Build())
            usurper.InitTransactions(TimeSpan.FromSeconds(30));
        Task<CommandResult> behind = node.SendAsync(Movement.Credit("a", 5, "behind"), Cancellation);
        await log.Restoring.WaitAsync(Cancellation);
        node.Completion.IsCompleted.ShouldBeFalse();
        behind.IsCompleted.ShouldBeFalse();

        await registry.StartAgain();
        (await behind).ShouldBeOfType<CommandResult.Accepted>().Version.ShouldBe(4);
        await node.WaitForReadModelsAsync(Cancellation); // they have waited for it too
        // the event that was copied says what the balance is after it
        ((AccountState)(await node.Aggregates[0].Processor.ReadAsync(AggregateId.Parse("a"), Cancellation))!.State).Balance
            .ShouldBe(70 + 5);
    }

    private Task<EventSourcedNode> StartNode(FragileRegistry registry, WaitingLog log)
    {
        ApplicationDefinition application = BankFixture.NewBank();
        var options = new KafkaEventSourcingOptions { DataDirectory = Path.Combine(bank.Servers.Folder, application.Name), Partitions = 1 };
        return EventSourcedNode.StartAsync(application, bank.Servers.Addresses with { Registry = registry.Url }, options, log,
            TimeProvider.System, Cancellation);
    }

    // The last event once more, with the next version, and with one field more at the end of the record.
    private async Task<Message<byte[], byte[]>> CreditOfNewerVersion(string registry, string topic)
    {
        using var client = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = registry });
        var config = new ConsumerConfig { BootstrapServers = bank.Servers.Addresses.Kafka, GroupId = topic };
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(config).Build();
        consumer.Assign(new TopicPartitionOffset(topic, 0, Offset.Beginning));
        Message<byte[], byte[]> last = null!;
        for (int events = 0; events < 2; events++) // not to the end: the last commit may be answered before it can be read
            last = consumer.Consume(Cancellation).Message;

        Schema known = await client.GetSchemaAsync(BinaryPrimitives.ReadInt32BigEndian(last.Value.AsSpan(1)));
        JsonNode newer = JsonNode.Parse(known.SchemaString)!;
        newer["fields"]!.AsArray().Add(JsonNode.Parse("""{"name":"Colour","type":"string","default":""}"""));
        byte[] value = [.. last.Value, 6, .. "red"u8];
        int id = await client.RegisterSchemaAsync($"{topic}-Banking.Domain.AccountCredited",
            new Schema(newer.ToJsonString(), SchemaType.Avro));
        BinaryPrimitives.WriteInt32BigEndian(value.AsSpan(1), id);
        last.Value = value;
        last.Headers.Remove(CloudEventHeaders.Sequence);
        last.Headers.Add(CloudEventHeaders.Sequence, "3"u8.ToArray());
        last.Headers.Remove(CloudEventHeaders.CausationId);
        last.Headers.Add(CloudEventHeaders.CausationId, "by-hand"u8.ToArray());
        return last;
    }

    private static async Task<byte[]> Encode(string registry, ApplicationDefinition application)
    {
        using var client = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = registry });
        int id = await client.RegisterSchemaAsync($"{application.Name}.account.commands-Banking.Domain.Credit",
            new Schema(NewerCredit, SchemaType.Avro));
        var schema = (global::Avro.RecordSchema)global::Avro.Schema.Parse(NewerCredit);
        var credit = new GenericRecord(schema);
        credit.Add("Amount", 70L);
        credit.Add("Currency", "EUR");
        credit.Add("BookedOn", new DateTime(2026, 3, 1, 0, 0, 0, DateTimeKind.Utc));
        credit.Add("Operation", new GenericEnum((global::Avro.EnumSchema)schema["Operation"].Schema, "CashDeposit"));
        credit.Add("Category", new GenericEnum((global::Avro.EnumSchema)schema["Category"].Schema, "None"));
        credit.Add("PartnerBank", null);
        credit.Add("PartnerAccount", null);
        credit.Add("Colour", "red");
        using var stream = new MemoryStream();
        byte[] header = new byte[5];
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(1), id);
        stream.Write(header);
        new GenericDatumWriter<GenericRecord>(schema).Write(credit, new BinaryEncoder(stream));
        return stream.ToArray();
    }

    /// <summary>A registry that a test ends and starts again under the same address.</summary>
    private sealed class FragileRegistry : IAsyncDisposable
    {
        private readonly EmbeddedSchemaRegistryOptions _options;
        private EmbeddedSchemaRegistry _registry;

        private FragileRegistry(EmbeddedSchemaRegistryOptions options, EmbeddedSchemaRegistry registry)
        {
            (_registry, Url) = (registry, registry.Url);
            _options = options with { Port = new Uri(Url).Port };
        }

        public string Url { get; }

        public static async Task<FragileRegistry> Start(string kafka)
        {
            var options = new EmbeddedSchemaRegistryOptions { BootstrapServers = kafka, Topic = TestServers.UniqueName("schemas") };
            return new FragileRegistry(options, await EmbeddedSchemaRegistry.StartAsync(options, cancellationToken: Cancellation));
        }

        public ValueTask Stop() => _registry.DisposeAsync();

        public async Task StartAgain() => _registry = await EmbeddedSchemaRegistry.StartAsync(_options, cancellationToken: Cancellation);

        public ValueTask DisposeAsync() => _registry.DisposeAsync();
    }

    /// <summary>Tells when a partition has said that it waits for the registry, and when it has said so once more.</summary>
    private sealed class WaitingLog : ILoggerFactory, ILogger
    {
        private readonly TaskCompletionSource _waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _restoring = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _waitsAgain = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Waits => _waits.Task;

        public Task WaitsAgain => _waitsAgain.Task;

        public Task Restoring => _restoring.Task;

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (!formatter(state, exception).Contains("waits for the Schema Registry", StringComparison.Ordinal))
                return;
            exception.ShouldBeOfType<HttpRequestException>();
            if (formatter(state, exception).Contains("account.events", StringComparison.Ordinal))
                _restoring.TrySetResult();
            if (!_waits.TrySetResult())
                _waitsAgain.TrySetResult();
        }

        public void Dispose()
        {
        }
    }
}
