using System.Text;
using Avro.Generic;
using Avro.IO;
using Banking.Domain;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Crosscutting;
using Streamiz.Kafka.Net.SerDes;
using Streamiz.Kafka.Net.State;
using Streamiz.Kafka.Net.Stream;
using Streamiz.Kafka.Net.Table;
using static KafkaEventSourcing.Streamiz.Tests.BankStreams;

namespace KafkaEventSourcing.Streamiz.Tests;

public sealed class SnapshotTests
{
    private static readonly EventStreamsDefinition Definition = Snapshots();

    [Fact]
    public void Snapshot_is_the_fold_of_the_events_with_version_place_and_time()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(Definition);
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(500, 500)).Given(Account.Definition, "b", Noon, Opened("bob"));

        StreamSnapshot<AccountState> snapshot = streams.SnapshotOf(Account.Definition, "a").ShouldNotBeNull();
        snapshot.Version.ShouldBe(2);
        snapshot.State.Balance.ShouldBe(500);
        snapshot.State.Credits.ShouldBe(1);
        snapshot.Token.ShouldBe(new ConsistencyToken(0, 1));
        snapshot.Time.ShouldBe(Noon);
        streams.SnapshotOf(Account.Definition, "b")!.State.Owner.ShouldBe("bob");
        streams.SnapshotOf(Account.Definition, "c").ShouldBeNull();
    }

    // Anybody's Avro reader, with the schema that the registry has.
    [Fact]
    public void Snapshot_topic_is_read_by_Apache_Avro_with_the_state_as_a_record()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(Definition);
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(500, 500));

        ConsumeResult<byte[], byte[]> last = streams.ReadAll(Definition.SnapshotTopicOf(Account.Definition))[^1];
        Encoding.UTF8.GetString(last.Message.Key).ShouldBe("a");
        GenericRecord record = ReadByApache(last.Message.Value);
        record["Version"].ShouldBe(2L);
        record["EventPartition"].ShouldBe(0);
        record["EventOffset"].ShouldBe(1L);
        record["Time"].ShouldBe(Noon.UtcDateTime);
        ((GenericRecord)record["State"])["Balance"].ShouldBe(500L);
        ((GenericRecord)record["State"])["Owner"].ShouldBe("ann");
        ((object[])record["RecentCommands"]).Cast<GenericRecord>().Select(c => ((string)c["CommandId"], (long)c["Version"],
            (long)c["EventOffset"])).ShouldBe([("command-1", 1L, 0L), ("command-2", 2L, 1L)]);
    }

    // Streamiz alone counted 49,532 of 47,527 movements after a kill.
    [Fact]
    public void Event_that_comes_again_is_counted_twice_by_Streamiz_alone_and_once_by_a_snapshot()
    {
        EventStreamsDefinition definition = EventStreams.Define("bank-streams").From(Account.Definition).Snapshot(Account.Definition)
            .Topology((_, sources) => sources.Events(Account.Definition).GroupByKey().Count(Bare("bare"))).Build();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(500, 500)).GivenAgain(Account.Definition, "a", 2);

        streams.Driver.GetKeyValueStore<string, long>("bare").Get("a").ShouldBe(3);
        StreamSnapshot<AccountState> snapshot = streams.SnapshotOf(Account.Definition, "a")!;
        (snapshot.Version, snapshot.State.Credits).ShouldBe((2, 1));
        streams.SkippedRepeatsOf("account-snapshots").ShouldBe(1);
    }

    // After an aborted transaction the store has what the changelog does not: a guard that only skips would leave it so.
    [Fact]
    public void Event_that_comes_again_has_the_newest_state_written_to_the_changelog_again()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(Definition);
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(500, 500), Credited(1, 501));
        byte[] newest = streams.ReadAll(Definition.SnapshotTopicOf(Account.Definition))[^1].Message.Value;

        streams.GivenAgain(Account.Definition, "a", 2);
        streams.ReadAll(Definition.SnapshotTopicOf(Account.Definition)).ShouldHaveSingleItem().Message.Value.ShouldBe(newest);
    }

    [Fact]
    public void Gap_between_two_events_stops_the_streams_and_names_it()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(Definition);
        streams.Given(Account.Definition, "a", Noon, Opened()).Lost(Account.Definition, "a", Credited(1, 1), Noon);

        StreamStateException gap = Should.Throw<StreamStateException>(() =>
            streams.Given(Account.Definition, "a", Noon, Credited(2, 3)));
        gap.Message.ShouldContain("test.account.events 0@1 is version 3 of the aggregate 'a'");
        gap.Message.ShouldContain("up to version 1");
        streams.SnapshotOf(Account.Definition, "a")!.Version.ShouldBe(1);
    }

    [Fact]
    public void State_of_an_aggregate_that_is_dropped_is_a_tombstone_and_its_events_may_come_again()
    {
        EventStreamsDefinition definition = Snapshots(state => state.Status == AccountStatus.Closed);
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(1, 1), new AccountClosed());

        streams.SnapshotOf(Account.Definition, "a").ShouldBeNull();
        ConsumeResult<byte[], byte[]> tombstone = streams.ReadAll(definition.SnapshotTopicOf(Account.Definition))[^1];
        Encoding.UTF8.GetString(tombstone.Message.Key).ShouldBe("a");
        tombstone.Message.Value.ShouldBeNull();
    }

    // Offsets of the test driver grow: the mark is given an offset that what comes again is before.
    [Fact]
    public void Event_of_a_dropped_aggregate_that_comes_again_writes_the_tombstone_again()
    {
        EventStreamsDefinition definition = Snapshots(state => state.Status == AccountStatus.Closed);
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(1, 1), new AccountClosed());
        streams.MarkDropped(Account.Definition, long.MaxValue);
        streams.ReadAll(definition.SnapshotTopicOf(Account.Definition));

        streams.GivenAgain(Account.Definition, "a", 2).GivenAgain(Account.Definition, "a", 3);
        streams.ReadAll(definition.SnapshotTopicOf(Account.Definition)).Where(r => r.Message.Key[0] != 0).Select(r => r.Message.Value)
            .ShouldBe([null, null]);
        streams.SkippedRepeatsOf("account-snapshots").ShouldBe(2);
    }

    [Fact]
    public void Several_events_of_one_command_are_one_command_as_of_the_last_and_the_oldest_are_forgotten()
    {
        EventStreamsDefinition definition = EventStreams.Define("bank-streams").From(Account.Definition)
            .Snapshot(Account.Definition, new SnapshotOptions { RecentCommands = 2 }).Build();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(1, 1), Credited(1, 2));

        GenericRecord record = ReadByApache(streams.ReadAll(definition.SnapshotTopicOf(Account.Definition))[^1].Message.Value);
        ((object[])record["RecentCommands"]).Cast<GenericRecord>().Select(c => (string)c["CommandId"]).ShouldBe(
            ["command-2", "command-3"]);
    }

    [Fact]
    public async Task Value_of_another_schema_of_the_state_is_refused_with_what_to_do()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(Definition);
        streams.Given(Account.Definition, "a", Noon, Opened());
        byte[] value = streams.ReadAll(Definition.SnapshotTopicOf(Account.Definition))[^1].Message.Value;
        var registry = MemoryRegistry.Create();
        var other = new SnapshotFormat(Transfer.Definition);
        (await StreamSchema.RegisterAsync(registry, "s", "t", other.FullName, other.SchemaJson, CancellationToken.None)).Id.ShouldBe(1);
        var ours = new SnapshotFormat(Account.Definition);
        StreamSchema schema = await StreamSchema.RegisterAsync(registry, "s", "t", ours.FullName, ours.SchemaJson,
            CancellationToken.None);
        value[4] = 1;

        Should.Throw<StreamStateException>(() => new SnapshotSerDes(ours, schema).Deserialize(value, default))
            .Message.ShouldContain("reset the streams 's'");
    }

    private static Materialized<string, long, IKeyValueStore<Bytes, byte[]>> Bare(string name) =>
        Materialized<string, long, IKeyValueStore<Bytes, byte[]>>.Create(Stores.InMemoryKeyValueStore(name))
            .With(new StringSerDes(), new Int64SerDes());

    private static GenericRecord ReadByApache(byte[] value)
    {
        var schema = (global::Avro.RecordSchema)global::Avro.Schema.Parse(new SnapshotFormat(Account.Definition).SchemaJson);
        WireFormat.TryReadSchemaId(value, out _).ShouldBeTrue();
        using var stream = new MemoryStream(value, WireFormat.HeaderLength, value.Length - WireFormat.HeaderLength);
        return new GenericDatumReader<GenericRecord>(schema, schema).Read(null!, new BinaryDecoder(stream));
    }
}
