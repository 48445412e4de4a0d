using Banking.Domain;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Verification;
using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Projections.MongoDB;
using KafkaEventSourcing.Upgrade.After;
using KafkaEventSourcing.Upgrade.Before;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>What code learns about a log before it is deployed on it.</summary>
public sealed class SchemaCheckTests(BankFixture bank)
{
    private readonly string _name = Testing.TestServers.UniqueName("schemas");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Later_code_is_told_how_it_reads_what_earlier_code_wrote_and_leaves_no_trace()
    {
        await using (EventSourcedNode before = await Start(WalletBefore.Application(_name)))
        {
            await Accepted(before, WalletBefore.Pay("a", 500, note: "rent"));
            await Accepted(before, WalletBefore.Pay("b", 300, inCash: true));
            await Accepted(before, WalletBefore.Refund("a", 50));
            await before.WaitForReadModelsAsync(Cancellation);
        }

        List<string> kept = [];
        await Check(WalletBefore.Application(_name), new SchemaCheckOptions { Keep = kept.Add });
        kept.Count.ShouldBe(2);
        string[] subjects = await Subjects();
        string[] groups = Groups();
        SchemaCheckReport report = await Check(WalletAfter.Application(_name), new SchemaCheckOptions { Before = kept });

        SchemaUse paid = report.Uses.Single(u => u.Reading.WriterType == "Upgrade.Paid");
        (paid.Topic, paid.Records, paid.Failures, paid.Reading.ReadAs, paid.Reading.IsOwn)
            .ShouldBe(($"{_name}.wallet.events", 2L, 0L, "Upgrade.Paid", false));
        paid.Reading.Differences.ShouldBe(["By takes its default, \"nobody\"", "Cents was called Amount"], ignoreOrder: true);
        report.IsReadable.ShouldBeTrue();
        AggregateCheck wallet = report.Aggregates.Single();
        (wallet.Events, wallet.Aggregates, wallet.Compared, wallet.Changed).ShouldBe((3, 2, 2, 0));
        wallet.OtherStateSchema.ShouldBe(2);
        wallet.Shape.ShouldBe(["LastBy is new", "Wired is new"]);
        report.ReadModels.Single(r => r.Name == "totals").ShouldSatisfyAllConditions(
            r => r.NotCompared.ShouldBeNull(),
            r => (r.Compared, r.Changed).ShouldBe((2, 0)));
        report.ReadModels.Single(r => r.Name == "journal").NotCompared.ShouldNotBeNull().ShouldContain(
            "does not have the events of wallet");
        (await Subjects()).ShouldBe(subjects);
        Groups().ShouldBe(groups);
    }

    [Fact]
    public async Task Code_that_cannot_read_an_event_is_told_the_type_how_many_and_where_the_first_is()
    {
        await using (EventSourcedNode after = await Start(WalletAfter.Application(_name)))
        {
            await Accepted(after, WalletAfter.Pay("a", 1, note: "x"));
            await Accepted(after, WalletAfter.Refund("a", 1, note: "x"));
            await Accepted(after, WalletAfter.Refund("a", 2, byWire: true, note: "x"));
        }

        SchemaCheckReport report = await Check(WalletBefore.Application(_name), new SchemaCheckOptions());

        report.IsReadable.ShouldBeFalse();
        SchemaUse paid = report.Uses.Single(u => u.Reading.WriterType == "Upgrade.Paid");
        (paid.Records, paid.Failures).ShouldBe((1, 1));
        paid.Reading.Problems.ShouldContain("/: the field Amount is not in the writer's schema and has no default");
        SchemaUse refunded = report.Uses.Single(u => u.Reading.WriterType == "Upgrade.Refunded");
        (refunded.Records, refunded.Failures).ShouldBe((2, 1));
        refunded.FirstFailure!.Why.ShouldContain("Wire");
        refunded.FirstFailure.Offset.ShouldBeGreaterThan(paid.FirstFailure!.Offset);
        (await Check(WalletBefore.Application(_name), new SchemaCheckOptions { Sample = 100 })).IsReadable.ShouldBeFalse();
    }

    [Fact]
    public async Task Command_that_waits_and_that_code_cannot_read_is_told()
    {
        await using (EventSourcedNode before = await Start(WalletBefore.Application(_name)))
            await Accepted(before, WalletBefore.Pay("a", 500));
        // as a producer in any language does, in a later schema, while no node runs
        using var registry = new CachedSchemaRegistryClient(bank.Servers.Addresses.RegistryConfig());
        var serde = Avro.AvroMessageSerde.Create(registry, EventSourcedNode.RecordTypesOf(WalletAfter.Application(_name)));
        CommandEnvelope pay = WalletAfter.Pay("a", 1);
        Avro.TopicEncoder encoder = await serde.PrepareAsync($"{_name}.wallet.commands", [pay.Payload.GetType()], Cancellation);
        var value = new System.Buffers.ArrayBufferWriter<byte>();
        encoder.Encode((Avro.IAvroRecord)pay.Payload, value);
        using IProducer<byte[], byte[]> producer =
            new ProducerBuilder<byte[], byte[]>(bank.Servers.Addresses.KafkaConnection.Producer()).Build();
        await producer.ProduceAsync(new TopicPartition($"{_name}.wallet.commands", DeadLetterDesk.PartitionOf("a")),
            new Message<byte[], byte[]> { Key = "a"u8.ToArray(), Value = value.WrittenSpan.ToArray() }, Cancellation);

        SchemaCheckReport report = await Check(WalletBefore.Application(_name), new SchemaCheckOptions());

        SchemaUse waiting = report.Uses.Single(u => u.Topic == $"{_name}.wallet.commands");
        (waiting.Reading.WriterType, waiting.Records, waiting.Failures).ShouldBe(("Upgrade.Pay", 1, 1));
        report.IsReadable.ShouldBeFalse();
        (await Check(WalletAfter.Application(_name), new SchemaCheckOptions())).IsReadable.ShouldBeTrue();
    }

    [Fact]
    public async Task Code_that_makes_something_else_of_the_events_is_told_which_states_and_documents_change()
    {
        await using (EventSourcedNode before = await Start(Credits(_name, bonus: 0)))
        {
            for (int account = 0; account < 12; account++)
            {
                foreach (long amount in (long[])[100, 200])
                    await Accepted(before, Movement.Credit($"a{account}", amount));
            }

            await before.WaitForReadModelsAsync(Cancellation);
        }

        SchemaCheckReport same = await Check(Credits(_name, bonus: 0), new SchemaCheckOptions());
        (same.Aggregates[0].Compared, same.Aggregates[0].Changed, same.ReadModels[0].Changed).ShouldBe((12, 0, 0));
        SchemaCheckReport report = await Check(Credits(_name, bonus: 1), new SchemaCheckOptions());

        report.IsReadable.ShouldBeTrue();
        AggregateCheck account0 = report.Aggregates[0];
        (account0.Compared, account0.Changed, account0.Changes.Count).ShouldBe((12, 12, AggregateCheck.MaxTold));
        account0.Changes[0].ShouldContain("at version 2: balance: 300 -> 302");
        ReadModelCheck sums = report.ReadModels[0];
        (sums.Compared, sums.Changed, sums.Changes.Count).ShouldBe((12, 12, AggregateCheck.MaxTold));
        sums.Changes[0].ShouldContain("sum is 300 instead of 302");
    }

    [Fact]
    public async Task Exported_file_is_checked_as_the_topics_are_without_a_server()
    {
        await using (EventSourcedNode before = await Start(ParcelBefore.Application(_name)))
        {
            foreach (string parcel in (string[])["a", "b", "c"])
                await Accepted(before, ParcelBefore.Handle(parcel, "post", 5), ParcelBefore.Handle(parcel, "move", text: "Prague"),
                    ParcelBefore.Handle(parcel, "rename", text: "gift"), ParcelBefore.Handle(parcel, "weigh", 300),
                    ParcelBefore.Handle(parcel, "check", 1));
        }

        await using (EventSourcedNode after = await Start(ParcelAfter.Application(_name, _ => { })))
            await Accepted(after, ParcelAfter.Handle("a", "post", 7), ParcelAfter.Handle("d", "move", text: "Brno"));
        using var registry = new CachedSchemaRegistryClient(bank.Servers.Addresses.RegistryConfig());
        await Produce("commands", "b", [0, 0, 0, 0, 0]); // waits, of a schema that the registry does not have
        await Produce("events", "foreign", [1, 2, 3]);
        string file = Path.Combine(bank.Servers.Folder, $"{_name}.avro");
        var family = new TopicFamily(_name, "parcel");
        using (var topics = new TopicRecords(bank.Servers.Addresses.KafkaConnection, "schemas", registry))
        {
            var export = new RecordExport(bank.Servers.Addresses.KafkaConnection, registry, TimeProvider.System);
            await Task.Run(() => export.Run(RecordExport.TopicsOf(family, topics.Topics), file, overwrite: false, Cancellation));
        }

        string[] groups = Groups();
        using ExportedRecords source = ExportedRecords.Open(file);
        source.Topics.ShouldBe([family.Snapshots, family.DeadLetters, family.Events, family.Commands]);
        source.Contents.Schemas.Where(s => s.Schema is not null).ShouldAllBe(s => s.Guid != null);
        foreach (ApplicationDefinition application in (ApplicationDefinition[])[ParcelBefore.Application(_name),
            ParcelAfter.Application(_name, _ => { }), ParcelAfter.Without(_name), ParcelAfter.Demanding(_name, evolved: false)])
        {
            List<string> kept = [];
            await Check(application, new SchemaCheckOptions { Keep = kept.Add });
            foreach (SchemaCheckOptions options in (SchemaCheckOptions[])[new(), new() { Sample = 3 }, new() { Before = kept }])
            {
                List<string> live = [], offline = [];
                SchemaCheckReport report = await Check(application, options with { Keep = live.Add });
                report.IsReadable.ShouldBeFalse();
                SchemaCheckReport filed = await new SchemaCheck(application, source, stored: null)
                    .RunAsync(options with { Keep = offline.Add }, Cancellation);
                Told(filed).ShouldBe(Told(report));
                offline.ShouldBe(live);
            }
        }

        SchemaCheckReport last = await new SchemaCheck(ParcelAfter.Application(_name, _ => { }), source, stored: null)
            .RunAsync(new SchemaCheckOptions(), Cancellation);
        last.Uses.Sum(u => u.Upcast).ShouldBe(12);
        last.Uses.Sum(u => u.Ignored).ShouldBe(3);
        last.Uses.Single(u => u.Topic == family.Commands).Failures.ShouldBe(1);
        last.Uses.Where(u => u.Topic == family.Events).Sum(u => u.Failures).ShouldBe(1);
        last.Uses.ShouldContain(u => u.Topic == family.Snapshots);
        Groups().ShouldBe(groups);
        (await new SchemaCheck(WalletBefore.Application(_name), source, stored: null).RunAsync(new SchemaCheckOptions(), Cancellation))
            .Unread.ShouldBe(["wallet"]);

        async Task Produce(string topic, string key, byte[] value)
        {
            using IProducer<byte[], byte[]> producer =
                new ProducerBuilder<byte[], byte[]>(bank.Servers.Addresses.KafkaConnection.Producer()).Build();
            await producer.ProduceAsync(new TopicPartition($"{_name}.parcel.{topic}", DeadLetterDesk.PartitionOf(key)),
                new Message<byte[], byte[]> { Key = System.Text.Encoding.UTF8.GetBytes(key), Value = value }, Cancellation);
        }
    }

    // Without the read models, which a file does not have.
    private static string Told(SchemaCheckReport report) => System.Text.Json.JsonSerializer.Serialize(report with { ReadModels = [] });

    // Accounts that are credited only.
    private static ApplicationDefinition Credits(string name, long bonus) => EventSourcedApplication.Named(name, "Credits of a test.")
        .With(AggregateDefinition.Define("account", Account.Definition.InitialState)
            .Decides<Credit>((_, credit) => Decision.Accept(new AccountCredited
            {
                Amount = credit.Amount,
                Currency = credit.Currency,
                BookedOn = credit.BookedOn,
                Operation = credit.Operation,
                Category = credit.Category,
                BalanceAfter = 0,
            }))
            .Evolves<AccountCredited>((state, credited) => state with { Balance = state.Balance + credited.Amount + bonus })
            .Build())
        .With(ProjectionDefinition.Define<SumDocument>("sums")
            .Folds<AccountCredited>((document, credited, r) =>
                new SumDocument(r.AggregateId.Value, (document?.Sum ?? 0) + credited.Amount + bonus))
            .Build())
        .Build();

    private async Task<SchemaCheckReport> Check(ApplicationDefinition application, SchemaCheckOptions options)
    {
        ServerAddresses addresses = bank.Servers.Addresses;
        using var registry = new CachedSchemaRegistryClient(addresses.RegistryConfig());
        using var stored = new MongoProjectionStore(
            new MongoProjectionOptions { ConnectionString = addresses.MongoDB!, Database = application.Name }, TimeProvider.System,
            NullLogger<MongoProjectionStore>.Instance);
        using var source = new TopicRecords(addresses.KafkaConnection, "schemas", registry);
        return await new SchemaCheck(application, source, stored).RunAsync(options, Cancellation);
    }

    private async Task<string[]> Subjects()
    {
        using var registry = new CachedSchemaRegistryClient(bank.Servers.Addresses.RegistryConfig());
        string[] subjects = [.. (await registry.GetAllSubjectsAsync()).Where(s => s.StartsWith(_name, StringComparison.Ordinal)).Order(
            StringComparer.Ordinal)];
        var versions = new List<string>();
        foreach (string subject in subjects)
            versions.Add($"{subject}: {string.Join(',', await registry.GetSubjectVersionsAsync(subject))}");
        return [.. versions];
    }

    private string[] Groups()
    {
        using IAdminClient admin = new AdminClientBuilder(bank.Servers.Addresses.KafkaConnection.Admin()).Build();
        return [.. admin.ListGroups(TimeSpan.FromSeconds(30)).Select(g => g.Group)
            .Where(g => g.StartsWith(_name, StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
    }

    private static async Task Accepted(EventSourcedNode node, params CommandEnvelope[] commands)
    {
        foreach (CommandEnvelope command in commands)
            (await node.SendAsync(command, Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
    }

    private Task<EventSourcedNode> Start(ApplicationDefinition application) => EventSourcedNode.StartAsync(
        application, bank.Servers.Addresses,
        new KafkaEventSourcingOptions
        {
            DataDirectory = Path.Combine(bank.Servers.Folder, _name),
            Partitions = 2,
            BarrierEvents = 1,
            SessionTimeout = TimeSpan.FromSeconds(6),
        },
        NullLoggerFactory.Instance, TimeProvider.System, Cancellation);

    private sealed record SumDocument(string Id, long Sum);
}
