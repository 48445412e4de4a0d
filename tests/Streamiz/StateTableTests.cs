using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using static KafkaEventSourcing.Streamiz.Tests.BankStreams;

namespace KafkaEventSourcing.Streamiz.Tests;

public sealed class StateTableTests
{
    private static readonly EventStreamsDefinition Definition = Snapshots();
    private static readonly string Changelog = Definition.SnapshotTopicOf(Account.Definition);

    [Fact]
    public void Key_that_changes_several_times_is_written_once_when_it_is_committed_and_read_before()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(Definition, new StateTables());
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(1, 1), Credited(1, 2));

        streams.SnapshotOf(Account.Definition, "a")!.Version.ShouldBe(3);
        streams.ReadAll(Changelog).ShouldBeEmpty();
        streams.Driver.Commit();
        byte[] written = streams.ReadAll(Changelog).ShouldHaveSingleItem().Message.Value;
        streams.Driver.Commit();
        streams.ReadAll(Changelog).ShouldBeEmpty(); // nothing has changed since

        streams.GivenAgain(Account.Definition, "a", 3); // an aborted transaction has not written it, perhaps
        streams.Driver.Commit();
        streams.ReadAll(Changelog).ShouldHaveSingleItem().Message.Value.ShouldBe(written);
    }

    /// <summary>A mark that is in the changelog without a value that was put before it made the events of that aggregate look like those
    /// of one that was dropped.</summary>
    [Fact]
    public void Mark_of_what_was_dropped_is_written_behind_all_values_and_before_the_deletion()
    {
        EventStreamsDefinition definition = Snapshots(state => state.Status == AccountStatus.Closed);
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition, new StateTables());
        streams.Given(Account.Definition, "a", Noon, Opened());
        streams.Driver.Commit();
        streams.ReadAll(Changelog);
        streams.Given(Account.Definition, "a", Noon, new AccountClosed()).Given(Account.Definition, "b", Noon, Opened());

        streams.Driver.Commit();

        streams.ReadAll(Changelog).Select(r => $"{Text(r.Message.Key)}{(r.Message.Value is null ? " deleted" : "")}").ShouldBe(
            ["b", "\0dropped", "a deleted"]);
    }

    [Fact]
    public void Table_without_room_writes_before_the_commit_and_reads_back_what_it_has_let_go()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(Definition, new StateTables { CacheBytes = 4_000 });
        string[] ids = [.. Enumerable.Range(0, 100).Select(i => $"a{i:000}")];
        foreach (string id in ids)
            streams.Given(Account.Definition, id, Noon, Opened());

        streams.ReadAll(Changelog).Count.ShouldBeInRange(50, 99);
        foreach (string id in ids)
            streams.SnapshotOf(Account.Definition, id)!.Version.ShouldBe(1);
    }

    /// <summary>Streamiz flushes stores once more when their partitions were lost: older values came behind those of the new
    /// owner.</summary>
    [Fact]
    public void What_was_put_is_not_written_after_the_partitions_were_lost_and_still_answered()
    {
        var tables = new StateTables();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(Definition, tables);
        streams.Given(Account.Definition, "a", Noon, Opened());
        tables.Ownership.Lose();
        streams.Driver.Commit();

        streams.ReadAll(Changelog).ShouldBeEmpty();
        streams.SnapshotOf(Account.Definition, "a")!.Version.ShouldBe(1);
    }

    /// <summary>A process that was stopped beyond its session wrote what it had put before, and learned at the next poll that others had
    /// its partitions.</summary>
    [Fact]
    public void Nothing_is_written_when_Kafka_says_that_the_partitions_belong_to_others()
    {
        var tables = new StateTables();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(Definition, tables);
        streams.Given(Account.Definition, "a", Noon, Opened());
        tables.Ownership.Regain(() => throw new KafkaException(ErrorCode.IllegalGeneration));

        Should.Throw<KafkaException>(streams.Driver.Commit);
        tables.Ownership.Regain(null);
        streams.ReadAll(Changelog).ShouldBeEmpty();
    }

    [Fact]
    public void All_and_ranges_are_in_the_order_of_keys_with_what_is_not_committed_and_without_what_is_deleted()
    {
        EventStreamsDefinition definition = Snapshots(state => state.Status == AccountStatus.Closed);
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition, new StateTables());
        foreach (string id in (string[])["b", "d", "f"])
            streams.Given(Account.Definition, id, Noon, Opened());
        streams.Driver.Commit();
        streams.Given(Account.Definition, "d", Noon, new AccountClosed()).Given(Account.Definition, "f", Noon, Credited(1, 1))
            .Given(Account.Definition, "a", Noon, Opened()).Given(Account.Definition, "c", Noon, Opened())
            .Given(Account.Definition, "g", Noon, Opened());

        var table = (StateTable<Snapshot>)streams.Driver.GetKeyValueStore<byte[], Snapshot?>(SnapshotPart.StoreOf(Account.Definition));
        Keys(table.All()).ShouldBe(["\0dropped 0", "a 1", "b 1", "c 1", "f 2", "g 1"]);
        Keys(table.ReverseAll()).ShouldBe(["g 1", "f 2", "c 1", "b 1", "a 1", "\0dropped 0"]);
        using var range = table.Range("b"u8.ToArray(), "f"u8.ToArray());
        Text(range.PeekNextKey()).ShouldBe("b");
        var found = new List<string>();
        while (range.MoveNext())
            found.Add(Text(range.Current!.Value.Key));
        found.ShouldBe(["b", "c", "f"]);
    }

    private static IEnumerable<string> Keys(IEnumerable<KeyValuePair<byte[], Snapshot?>> entries) =>
        entries.Select(e => $"{Text(e.Key)} {e.Value!.Version}");

    private static string Text(byte[] key) => Encoding.UTF8.GetString(key);
}
