using Banking.Domain;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Verification;

namespace KafkaEventSourcing.Streamiz.Tests;

/// <summary>What <c>schemas check</c> says of the snapshots that streams keep, before code is deployed.</summary>
public sealed class SnapshotSchemaTests(RunningStreamsTests.Fixture fixture) : IClassFixture<RunningStreamsTests.Fixture>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // What went wrong: a node that restored from streams was checked against barriers that it does not have, so against nothing.
    [Fact]
    public async Task Check_compares_states_with_the_snapshots_of_streams_and_names_those_of_another_schema()
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        EventStreamsDefinition definition = EventStreams.Define(log.Name).From(Account.Definition).Snapshot(Account.Definition).Build();
        var family = new TopicFamily(log.Application, "account");
        using (var provisioner = new TopicProvisioner(log.Kafka)) // which a node makes
        {
            var others = new TopicDeclaration([.. new[] { family.Snapshots, family.Commands }.Select(t =>
                new TopicSpecification { Name = t, Partitions = StreamLog.Partitions })]);
            await provisioner.ApplyAsync(await provisioner.PlanAsync(others, Cancellation), Cancellation);
        }

        IReadOnlyList<ConsistencyToken> last = await log.AppendAccountsAsync(accounts: 3, credits: 2);
        await using (EventStreamsRunner runner = log.Start(definition, exactlyOnce: true))
        {
            foreach (ConsistencyToken place in last)
                await runner.WaitForAsync(Account.Definition, place, Cancellation);
        }

        string topic = definition.SnapshotTopicOf(Account.Definition);
        using var registry = new CachedSchemaRegistryClient(log.Servers.Registry);
        using var topics = new TopicRecords(log.Kafka, "schemas", registry);
        string file = Path.Combine(fixture.Servers!.Folder, $"{log.Application}.avro");
        var export = new RecordExport(log.Kafka, registry, TimeProvider.System);
        await Task.Run(() => export.Run([.. RecordExport.TopicsOf(family, topics.Topics), topic], file, overwrite: false, Cancellation));
        using ExportedRecords exported = ExportedRecords.Open(file);
        foreach (IRecordSource source in (IRecordSource[])[topics, exported])
        {
            SchemaCheckReport same = await Check(Accounts(log.Application, bonus: 0), source, "account", topic);
            (same.IsReadable, same.Aggregates[0].Compared, same.Aggregates[0].Changed, same.Aggregates[0].OtherStreamStateSchema)
                .ShouldBe((true, 3L, 0L, 0L));
            SchemaUse snapshots = same.Uses.Single(u => u.Topic == topic);
            (snapshots.Reading.WriterType, snapshots.Reading.IsOwn, snapshots.Failures)
                .ShouldBe(("KafkaEventSourcing.Streams.AccountSnapshot", true, 0));

            SchemaCheckReport changed = await Check(Accounts(log.Application, bonus: 1), source, "account", topic);
            (changed.Aggregates[0].Compared, changed.Aggregates[0].Changed).ShouldBe((3, 3));

            SchemaCheckReport other = await Check(Transfers(log.Application), source, "account", topic);
            (other.IsReadable, other.Aggregates[0].Compared, other.Aggregates[0].OtherStreamStateSchema).ShouldBe((true, 0L, 3L));
            SchemaReading reading = other.Uses.Single(u => u.Topic == topic).Reading;
            reading.ReadAs.ShouldBeNull();
            reading.Differences[0].ShouldBe("the state, Banking.Domain.AccountState, has another schema");

            SchemaCheckReport missing = await Check(Accounts(log.Application, bonus: 0), source, "account", "nowhere");
            missing.MissingSnapshots.ShouldBe(["nowhere"]);
            missing.Aggregates[0].Compared.ShouldBe(0);
        }

        (await Should.ThrowAsync<InvalidInputException>(() => Check(Accounts(log.Application, bonus: 0), topics, "acount", topic)))
            .Message.ShouldContain("has no aggregate type 'acount'; it has account.");
    }

    private static Task<SchemaCheckReport> Check(ApplicationDefinition application, IRecordSource source, string aggregate,
        string topic) => new SchemaCheck(application, source, stored: null).RunAsync(
            new SchemaCheckOptions { StreamSnapshots = new Dictionary<string, string> { [aggregate] = topic } }, Cancellation);

    private static ApplicationDefinition Accounts(string name, long bonus) => Application(name, AggregateDefinition
        .Define("account", Account.Definition.InitialState)
        .Decides<Credit>((_, _) => Decision.Nothing)
        .Evolves<AccountOpened>((state, opened) => (AccountState)Account.Definition.Evolve(state, opened))
        .Evolves<AccountCredited>((state, credited) =>
        {
            var next = (AccountState)Account.Definition.Evolve(state, credited);
            return next with { Balance = next.Balance + bonus };
        })
        .Build());

    // Accounts whose state has become something else.
    private static ApplicationDefinition Transfers(string name) => Application(name, AggregateDefinition
        .Define("account", Transfer.Definition.InitialState)
        .Decides<Credit>((_, _) => Decision.Nothing)
        .Evolves<AccountOpened>((state, _) => state)
        .Evolves<AccountCredited>((state, credited) => state with { Amount = state.Amount + credited.Amount })
        .Build());

    private static ApplicationDefinition Application(string name, AggregateDefinition aggregate) =>
        EventSourcedApplication.Named(name, "Accounts of a test.").With(aggregate).Build();
}
