using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Schemas;
using KafkaEventSourcing.Processing;
using Streamiz.Kafka.Net.State;
using static KafkaEventSourcing.Streamiz.Tests.BankStreams;

namespace KafkaEventSourcing.Streamiz.Tests;

/// <summary>What a node that restores from snapshots of streams must find in their topic.</summary>
public sealed class SnapshotMarkTests
{
    private const string Store = "account-snapshots";
    private static readonly EventStreamsDefinition Definition = Snapshots();
    private static readonly Dictionary<string, (string Events, string Snapshots)> Topics = new()
    {
        [Store] = ("", "AAAAAAAAAAEAAAAAAAAAAg"),
    };

    [Fact]
    public void Mark_is_behind_the_snapshots_that_it_speaks_of_and_comes_after_a_thousand_events()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(Definition, tables: null, Topics);
        streams.Given(Account.Definition, "a", Noon, Opened());
        IReadOnlyList<ConsumeResult<byte[], byte[]>> first = streams.ReadAll(Definition.SnapshotTopicOf(Account.Definition));
        first.Select(r => Encoding.UTF8.GetString(r.Message.Key)).ShouldBe(["a", "\0mark"]);

        for (int i = 1; i <= 1_000; i++)
            streams.Given(Account.Definition, "a", Noon, Credited(1, i));
        ConsumeResult<byte[], byte[]>[] later = [.. streams.ReadAll(Definition.SnapshotTopicOf(Account.Definition))];
        later[^1].Message.Key.ShouldBe(StreamSnapshotFormat.MarkKey);
        later.Count(r => r.Message.Key is [0, ..]).ShouldBe(1);
        StreamSnapshot<AccountState> newest = streams.SnapshotOf(Account.Definition, "a")!;
        StreamSnapshot mark = Read(later[^1].Message.Value);
        (mark.Version, mark.EventOffset, mark.StateSchema).ShouldBe((0, newest.Token.Offset, null));
        mark.Mark.ShouldNotBeNull();
        (mark.Mark.Events.IsUnknown, mark.Mark.Snapshots.ToString(), mark.Mark.FromOffset, mark.Mark.RecentCommands)
            .ShouldBe((true, Topics[Store].Snapshots, 0, 256));
    }

    [Fact]
    public void Snapshot_is_read_by_a_node_with_the_state_as_it_keeps_it_and_the_commands()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(Definition);
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(500, 500));
        StreamSnapshot snapshot = Read(streams.ReadAll(Definition.SnapshotTopicOf(Account.Definition))[^1].Message.Value);
        (snapshot.Version, snapshot.EventPartition, snapshot.EventOffset, snapshot.Mark).ShouldBe((2, 0, 1, null));
        var state = AvroRecordType.Of<AccountState>();
        snapshot.StateSchema.ShouldBe(state.Fingerprint);
        state.Read(snapshot.State).ShouldBe(streams.SnapshotOf(Account.Definition, "a")!.State);
        snapshot.Commands.Select(c => (c.CommandId, c.Outcome.Version, c.Outcome.EventOffset))
            .ShouldBe([("command-1", 1L, 0L), ("command-2", 2L, 1L)]);
    }

    // The tombstone was in the transaction that was aborted, and is not in the store any more: the topic had the aggregate for ever.
    [Fact]
    public void Event_of_a_dropped_aggregate_that_comes_again_has_the_tombstone_written_again()
    {
        EventStreamsDefinition definition = Snapshots(state => state.Status == AccountStatus.Closed);
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(Account.Definition, "z", Noon, Opened());
        ((IKeyValueStore<byte[], Snapshot?>)streams.Driver.GetKeyValueStore<byte[], Snapshot?>(Store)).Put(SnapshotFold.DroppedKey,
            new Snapshot { Version = 0, Partition = 0, Offset = 1_000, Time = Noon, Commands = [], State = null });
        streams.ReadAll(definition.SnapshotTopicOf(Account.Definition));
        streams.Given(Account.Definition, "a", Noon, Opened());
        streams.ReadAll(definition.SnapshotTopicOf(Account.Definition)).Select(r => (Encoding.UTF8.GetString(r.Message.Key),
            r.Message.Value is null)).ShouldBe([("\0dropped", false), ("a", true)]);
    }

    [Theory]
    [InlineData("E", "S", true)]
    [InlineData("", "S", true)]
    [InlineData("E", "", true)]
    [InlineData("E2", "S", false)]
    [InlineData("E", "S2", false)]
    public void Mark_keeps_where_the_fold_began_and_is_not_one_of_another_topic(string events, string snapshots, bool isSame) =>
        new SnapshotMark("E", "S", 5, 10).Next(events, snapshots, 256)
            .ShouldBe(isSame ? new SnapshotMark(events, snapshots, 5, 10) : null);

    private static StreamSnapshot Read(byte[] value) =>
        new StreamSnapshotFormat(_ => SchemaParser.Parse(new SnapshotFormat(Account.Definition).SchemaJson)).Read(value);
}
