using System.Text;
using Counting;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class StateStoreTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Directory => _folder.Child("store");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void New_store_is_empty_and_covers_nothing()
    {
        using StateStore store = Counter.Open(Directory);
        store.Checkpoint.ShouldBe(0);
        store.Load(AggregateId.Parse("a")).ShouldBeNull();
        store.Read(AggregateId.Parse("a"), 0).ShouldBeNull();
        store.ReadAll(0).ShouldBeEmpty();
        store.Changed().ShouldBeEmpty();
    }

    [Fact]
    public void Put_is_seen_only_once_written_and_then_all_of_it_with_the_checkpoint()
    {
        using StateStore store = Counter.Open(Directory);
        AggregateEntry entry = Entry("a", version: 2, offset: 11, total: 7);
        store.PutOutcome(entry, Accepted("c1", 2));
        store.PutState(entry);
        store.PutIndex(entry.Key, 1, 10);
        store.PutIndex(entry.Key, 2, 11);
        store.Read(entry.Id, 3).ShouldBeNull();
        store.OffsetOf(entry.Id, 1).ShouldBeNull();
        store.Checkpoint.ShouldBe(0);

        store.Write(13);
        store.Read(entry.Id, 3).ShouldBe(new AggregateView(entry.Id, 2, new Count { Total = 7 }, new ConsistencyToken(3, 11)));
        store.OffsetOf(entry.Id, 1).ShouldBe(10);
        store.OffsetOf(entry.Id, 2).ShouldBe(11);
        store.OffsetOf(entry.Id, 3).ShouldBeNull();
        store.Checkpoint.ShouldBe(13);
        store.Changed().ShouldBe([entry.Id]);
    }

    [Fact]
    public void Place_in_the_command_topic_is_written_with_the_checkpoint_or_not_at_all()
    {
        var mark = new InputMark(EventLog.TopicId.From(1, 2), 7);
        var topics = new TopicIdentities(mark.Topic, EventLog.TopicId.From(3, 4), EventLog.TopicId.From(5, 6), default, default);
        using (StateStore store = Counter.Open(Directory))
        {
            store.Input.ShouldBeNull();
            store.Topics.ShouldBeNull();
            store.PutInput(mark);
            store.PutTopics(topics);
            store.Write(3);
            store.PutInput(mark with { Next = 9 });
            store.Flush();
        }

        using StateStore reopened = Counter.Open(Directory);
        (reopened.Checkpoint, reopened.Input, reopened.Topics).ShouldBe((3, mark, topics));
    }

    [Fact]
    public void ChangeAll_has_the_next_barrier_hold_every_aggregate()
    {
        using StateStore store = Counter.Open(Directory);
        foreach (string id in (string[])["a", "b", "c"])
            store.PutState(Entry(id, version: 1, offset: 1, total: 1));
        store.Write(3);
        store.ClearChanged(store.Changed());
        store.PutState(Entry("b", version: 2, offset: 4, total: 2));
        store.Write(5);
        store.ChangeAll();
        store.Changed().ShouldBe([AggregateId.Parse("a"), AggregateId.Parse("b"), AggregateId.Parse("c")]);
    }

    [Fact]
    public void Reopened_store_has_everything()
    {
        using (StateStore store = Counter.Open(Directory))
        {
            AggregateEntry entry = Entry("ä/1", version: 1, offset: 5, total: -3);
            store.PutOutcome(entry, Accepted("c1", 1));
            store.PutState(entry);
            store.PutIndex(entry.Key, 1, 5);
            store.Write(6);
            store.Flush();
        }

        using StateStore again = Counter.Open(Directory);
        again.Checkpoint.ShouldBe(6);
        AggregateEntry loaded = again.Load(AggregateId.Parse("ä/1")).ShouldNotBeNull();
        (loaded.Version, loaded.EventOffset, loaded.State).ShouldBe((1, 5, new Count { Total = -3 }));
        again.TryGetOutcome(loaded, "c1", out RememberedOutcome outcome).ShouldBeTrue();
        outcome.ShouldBe(Accepted("c1", 1));
    }

    // One giant batch held all of a partition twice in memory; pieces without a mark would make half a load look like a store at offset 0,
    // and events be folded twice.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Load_in_pieces_is_whole_once_it_is_finished_and_nothing_before(bool finished)
    {
        const int Aggregates = 300;
        using (StateStore store = Counter.Open(Directory, recentLimit: 8))
        {
            int pieces = 0;
            for (int i = 0; i < Aggregates; i++)
            {
                AggregateEntry entry = Entry($"a{i}", 1, i, i);
                store.PutOutcome(entry,
                    Known($"c{i}", new CommandOutcome(OutcomeKind.Rejected, 1,
                        Explanation: new Explanation("no", new string('x', 40_000), null, Explanation.NoDetails))));
                store.PutState(entry, isChanged: false);
                bool before = store.Read(entry.Id, 0) is not null;
                store.WritePiece();
                pieces += !before && store.Read(entry.Id, 0) is not null ? 1 : 0;
            }

            pieces.ShouldBeInRange(2, 10);
            if (finished)
                store.Write(1_000);
            store.Flush();
        }

        using StateStore again = Counter.Open(Directory, recentLimit: 8);
        again.Checkpoint.ShouldBe(finished ? 1_000 : 0);
        again.ReadAll(0).Count().ShouldBe(finished ? Aggregates : 0);
        again.Changed().ShouldBeEmpty();
        if (!finished)
            return;
        Recent(again, "a7").ShouldBe(["c7"]);
        again.Write(1_001);
        again.Dispose();
        using StateStore reopened = Counter.Open(Directory, recentLimit: 8);
        reopened.Checkpoint.ShouldBe(1_001);
    }

    [Fact]
    public void Ids_that_begin_alike_keep_their_own_outcomes()
    {
        using StateStore store = Counter.Open(Directory);
        foreach (string id in (string[])["a", "ab", "a\u00a0"])
        {
            AggregateEntry entry = Entry(id, 1, 1, 1);
            store.PutOutcome(entry, Accepted($"of {id}", 1));
            store.PutState(entry);
        }

        store.Write(1);
        Recent(store, "a").ShouldBe(["of a"]);
        Recent(store, "ab").ShouldBe(["of ab"]);
    }

    [Fact]
    public void Outcomes_beyond_the_limit_are_forgotten_oldest_first_in_memory_and_on_disk()
    {
        using StateStore store = Counter.Open(Directory, recentLimit: 3);
        AggregateEntry entry = Entry("a", 1, 1, 1);
        for (int i = 1; i <= 300; i++) // past 255, so that the order of numbers is not that of their last byte
            store.PutOutcome(entry, Accepted($"c{i}", i));
        store.PutState(entry);
        store.Write(1);
        store.TryGetOutcome(entry, "c297", out _).ShouldBeFalse();
        store.TryGetOutcome(entry, "c298", out _).ShouldBeTrue();
        Recent(store, "a").ShouldBe(["c298", "c299", "c300"]);
    }

    [Fact]
    public void Outcome_of_a_loaded_aggregate_follows_those_that_it_had()
    {
        using StateStore store = Counter.Open(Directory, recentLimit: 2);
        AggregateEntry entry = Entry("a", 1, 1, 1);
        store.PutOutcome(entry, Accepted("c1", 1));
        store.PutOutcome(entry, Accepted("c2", 2));
        store.PutState(entry);
        store.Write(1);

        AggregateEntry loaded = store.Load(entry.Id)!;
        store.PutOutcome(loaded, Accepted("c3", 3));
        store.PutState(loaded);
        store.Write(2);
        Recent(store, "a").ShouldBe(["c2", "c3"]);
    }

    [Fact]
    public void Aggregate_without_events_is_remembered_but_not_read()
    {
        using StateStore store = Counter.Open(Directory);
        AggregateEntry entry = Entry("a", 0, -1, 0);
        store.PutOutcome(entry, Known("c1", CommandOutcome.Rejected(0, "no", "No.")));
        store.PutState(entry);
        store.Write(1);
        store.Read(entry.Id, 0).ShouldBeNull();
        store.ReadAll(0).ShouldBeEmpty();
        store.TryGetOutcome(store.Load(entry.Id)!, "c1", out RememberedOutcome outcome).ShouldBeTrue();
        (outcome.Outcome.Kind, outcome.Outcome.Explanation?.Code, outcome.Outcome.EventOffset).ShouldBe((OutcomeKind.Rejected, "no", -1L));
    }

    [Fact]
    public void ReadAll_is_in_the_order_of_ids()
    {
        using StateStore store = Counter.Open(Directory);
        foreach (string id in (string[])["b", "a", "ba", "c"])
            store.PutState(Entry(id, 1, 1, 1));
        store.Write(1);
        store.ReadAll(0).Select(v => v.AggregateId.Value).ShouldBe(["a", "b", "ba", "c"]);
    }

    [Fact]
    public void ClearChanged_forgets_only_what_it_is_given()
    {
        using StateStore store = Counter.Open(Directory);
        store.PutState(Entry("a", 1, 1, 1));
        store.PutState(Entry("b", 1, 2, 1));
        store.Write(3);
        store.ClearChanged([AggregateId.Parse("a")]);
        store.Changed().ShouldBe([AggregateId.Parse("b")]);
        store.Checkpoint.ShouldBe(3);
    }

    [Fact]
    public void Other_state_schema_drops_the_store()
    {
        using (StateStore store = Counter.Open(Directory))
        {
            store.PutState(Entry("a", 1, 1, 1));
            store.Write(2);
            store.Flush();
        }

        AggregateDefinition later = AggregateDefinition.Define("counter", new OtherCount { Total = 0, Highest = 0 }).Decides<Add>((_, _) =>
            Decision.Nothing).Evolves<Added>((s, _) => s).Build();
        using (StateStore store = StateStore.Open(Directory, later, AvroRecordType.Of<OtherCount>(), 4))
        {
            store.Checkpoint.ShouldBe(0);
            store.Load(AggregateId.Parse("a")).ShouldBeNull();
        }
    }

    [Fact]
    public void Crash_leaves_an_older_but_consistent_store()
    {
        using StateStore store = Counter.Open(Directory);
        for (int i = 1; i <= 50; i++)
        {
            Step(store, i);
            if (i == 20)
                store.Flush();
        }

        using StateStore crashed = Counter.Open(_folder.CrashImageOf(Directory));
        crashed.Checkpoint.ShouldBe(20);
        crashed.Read(AggregateId.Parse("a"), 0)!.State.ShouldBe(new Count { Total = 20 });
        crashed.Read(AggregateId.Parse("b"), 0)!.State.ShouldBe(new Count { Total = 20 });
        crashed.OffsetOf(AggregateId.Parse("a"), 20).ShouldBe(19);
        crashed.OffsetOf(AggregateId.Parse("a"), 21).ShouldBeNull();
        Recent(crashed, "b").ShouldBe(["c17", "c18", "c19", "c20"]);
        store.Checkpoint.ShouldBe(50);
    }

    [Fact]
    public void Store_that_another_has_open_is_refused_with_what_to_do()
    {
        using StateStore store = Counter.Open(Directory);
        Should.Throw<IOException>(() => Counter.Open(Directory)).Message.ShouldContain("If another process uses this data folder");
    }

    // A step changes two aggregates, so that a torn one would show.
    private static void Step(StateStore store, int step)
    {
        foreach (string id in (string[])["a", "b"])
        {
            AggregateEntry entry = store.Load(AggregateId.Parse(id)) ?? new AggregateEntry(AggregateId.Parse(id), new Count { Total = 0 });
            store.PutOutcome(entry, Accepted($"c{step}", step));
            (entry.Version, entry.EventOffset, entry.State) = (step, step - 1, new Count { Total = step });
            store.PutState(entry);
            store.PutIndex(entry.Key, step, step - 1);
        }

        store.Write(step);
    }

    private static IEnumerable<string> Recent(StateStore store, string id) =>
        store.RecentOutcomes(store.Load(AggregateId.Parse(id))!).Select(o => Encoding.UTF8.GetString(OutcomeCodec.CommandIdOf(o)));

    private static AggregateEntry Entry(string id, long version, long offset, long total) =>
        new(AggregateId.Parse(id), new Count { Total = 0 })
        {
            Version = version, EventOffset = offset, State = new Count { Total = total },
        };

    private static RememberedOutcome Known(string commandId, CommandOutcome outcome) => new(commandId, outcome, default);

    private static RememberedOutcome Accepted(string commandId, long version) =>
        Known(commandId, new CommandOutcome(OutcomeKind.Accepted, version, version));
}
