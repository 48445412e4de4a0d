using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Projections.Tests;

public class ProjectionEngineTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    private static ProjectionEngine Start(InMemoryProjectionStore store, params ProjectionDefinition[] projections) =>
        new(projections.Length == 0 ? Tally.All : projections, store, new ProjectionEngineOptions(), NullLogger<ProjectionEngine>.Instance);

    [Fact]
    public async Task Project_folds_inserts_and_sums()
    {
        var store = new InMemoryProjectionStore();
        await using ProjectionEngine engine = Start(store);
        (await engine.StartOfAsync(0, None)).ShouldBeNull();

        await engine.Project(0, [Tally.Event(0, 0, "a", 1, new Added(5)), Tally.Event(0, 1, "a", 2, new Added(2)),
            Tally.Event(0, 3, "b", 1, new Added(1))], 5, None);

        store.Documents("totals").ShouldBe(new Dictionary<string, object> { ["a"] = new Total("a", 7, 2), ["b"] = new Total("b", 1, 1) },
            ignoreOrder: true);
        store.Documents("entries").Keys.Order().ShouldBe(["a/1", "a/2", "b/1"]);
        store.Documents("days").ShouldBe(new Dictionary<string, object>
        {
            ["1970-01-01"] = new Day("1970-01-01", 6),
            ["1970-01-02"] = new Day("1970-01-02", 2),
        }, ignoreOrder: true);
        store.Commits.ShouldBe(engine.Projections.Count); // one transaction a read model
        engine.Positions.Of(0).ShouldBe(5);
    }

    [Fact]
    public async Task Project_batch_without_known_events_moves_the_checkpoint_only()
    {
        var store = new InMemoryProjectionStore();
        await using ProjectionEngine engine = Start(store);
        await engine.Project(2, [Tally.Event(2, 9, "a", 1, new Unread())], 12, None);
        (await store.NextOf(Tally.Totals, 2, None)).ShouldBe(12);
        store.Documents("totals").ShouldBeEmpty();
    }

    [Fact]
    public async Task Project_folding_to_null_deletes_and_starts_anew()
    {
        var store = new InMemoryProjectionStore();
        await using ProjectionEngine engine = Start(store, Tally.Totals);
        await engine.Project(0, [Tally.Event(0, 0, "a", 1, new Added(5))], 1, None);
        await engine.Project(0, [Tally.Event(0, 1, "a", 2, new Cleared())], 2, None);
        store.Documents("totals").ShouldBeEmpty();
        await engine.Project(0, [Tally.Event(0, 2, "a", 3, new Added(4))], 3, None);
        store.Documents("totals")["a"].ShouldBe(new Total("a", 4, 1));
    }

    [Fact]
    public async Task Project_events_below_a_projections_own_checkpoint_are_not_folded_again()
    {
        var store = new InMemoryProjectionStore();
        RecordedEvent[] events = [Tally.Event(0, 0, "a", 1, new Added(5)), Tally.Event(0, 1, "a", 2, new Added(2)),
            Tally.Event(0, 2, "a", 3, new Added(1))];
        await using (ProjectionEngine first = Start(store, Tally.Totals))
            await first.Project(0, events[..2], 2, None);

        await using ProjectionEngine both = Start(store, Tally.Totals, Tally.Entries);
        (await both.StartOfAsync(0, None)).ShouldBeNull();
        await both.Project(0, events, 3, None);

        store.Documents("totals")["a"].ShouldBe(new Total("a", 8, 3));
        store.Documents("entries").Count.ShouldBe(3);
    }

    [Fact]
    public async Task Project_answer_of_the_commit_lost_is_written_once()
    {
        var store = new InMemoryProjectionStore();
        await using ProjectionEngine engine = Start(store);
        bool lost = false;
        // What a store does with a commit of unknown outcome: it tries again, and finds the checkpoint moved.
        store.AfterCommit = () =>
        {
            if (!lost)
            {
                lost = true;
                throw new CheckpointMovedException(new CheckpointMove("totals", 0, default, null, 1, null));
            }
        };

        await engine.Project(0, [Tally.Event(0, 0, "a", 1, new Added(5))], 1, None);
        await engine.Project(0, [Tally.Event(0, 1, "a", 2, new Added(2))], 2, None);

        store.Documents("totals")["a"].ShouldBe(new Total("a", 7, 2));
        store.Documents("days").Values.Cast<Day>().Sum(d => d.Sum).ShouldBe(7);
    }

    [Fact]
    public async Task Two_engines_on_one_partition_count_every_event_once()
    {
        var store = new InMemoryProjectionStore();
        await using ProjectionEngine stale = Start(store);
        await using ProjectionEngine owner = Start(store);
        RecordedEvent[] events = [.. Enumerable.Range(0, 20).Select(i => Tally.Event(0, i, "a", i + 1, new Added(1)))];
        await stale.Project(0, events[..5], 5, None);
        await owner.StartOfAsync(0, None);
        await owner.Project(0, events[5..10], 10, None);
        await stale.Project(0, events[5..12], 12, None);
        await owner.Project(0, events[10..], 20, None);
        store.Documents("totals")["a"].ShouldBe(new Total("a", 20, 20));
        store.Documents("entries").Count.ShouldBe(20);
    }

    [Fact]
    public async Task StartOf_after_another_node_wrote_forgets_what_was_remembered()
    {
        var store = new InMemoryProjectionStore();
        await using ProjectionEngine first = Start(store, Tally.Totals);
        await using ProjectionEngine second = Start(store, Tally.Totals);
        await first.Project(0, [Tally.Event(0, 0, "a", 1, new Added(1))], 1, None);
        await second.StartOfAsync(0, None);
        await second.Project(0, [Tally.Event(0, 1, "a", 2, new Added(10))], 2, None);

        (await first.StartOfAsync(0, None)).ShouldBe(2);
        await first.Project(0, [Tally.Event(0, 2, "a", 3, new Added(100))], 3, None);

        store.Documents("totals")["a"].ShouldBe(new Total("a", 111, 3));
    }

    [Fact]
    public async Task Batch_that_the_store_refuses_fails_and_is_written_when_it_comes_again()
    {
        var store = new InMemoryProjectionStore { BeforeCommit = () => throw new InvalidDataException("disk on fire") };
        await using ProjectionEngine engine = Start(store);
        RecordedEvent[] batch = [Tally.Event(0, 0, "a", 1, new Added(5))];
        (await Should.ThrowAsync<InvalidDataException>(() => engine.Project(0, batch, 1, None))).Message.ShouldBe("disk on fire");
        engine.Completion.IsCompleted.ShouldBeFalse();
        engine.Positions.Of(0).ShouldBeNull();
        store.BeforeCommit = null;
        await engine.Project(0, batch, 1, None);
        store.Documents("totals")["a"].ShouldBe(new Total("a", 5, 1));
    }

    [Fact]
    public async Task Event_that_a_projection_does_not_take_fails_its_batch_alone()
    {
        var store = new InMemoryProjectionStore();
        ProjectionDefinition picky = ProjectionDefinition.Define<Total>("totals")
            .Folds<Added>((total, added, r) =>
                added.By == 13
                    ? throw new InvalidOperationException("thirteen")
                    : new(r.AggregateId.Value, (total?.Sum ?? 0) + added.By, (total?.Events ?? 0) + 1))
            .Build();
        await using ProjectionEngine engine = Start(store, picky);
        // Side by side, so that some of them wait together and are written in one transaction if they can.
        Task[] good = [.. Enumerable.Range(1, 20).Select(p =>
            engine.Project(p, [Tally.Event(p, 0, $"a{p}", 1, new Added(p == 13 ? 1 : p))], 1, None))];
        Task bad = engine.Project(0, [Tally.Event(0, 0, "b", 1, new Added(1)), Tally.Event(0, 1, "b", 2, new Added(13))], 2, None);
        Task[] more = [.. Enumerable.Range(21, 20).Select(p => engine.Project(p, [Tally.Event(p, 0, $"a{p}", 1, new Added(p))], 1, None))];
        await Task.WhenAll([.. good, .. more]);
        string message = (await Should.ThrowAsync<InvalidDataException>(bad)).Message;
        message.ShouldContain("totals");
        message.ShouldContain("0@1");
        message.ShouldContain("thirteen");
        store.Documents("totals").Count.ShouldBe(40);
        engine.Positions.Of(0).ShouldBeNull();
        await engine.Project(0, [Tally.Event(0, 0, "b", 1, new Added(1))], 1, None);
        store.Documents("totals")["b"].ShouldBe(new Total("b", 1, 1));
    }

    // A batch had 8,000 events, whatever their documents took.
    [Fact]
    public async Task Large_documents_are_written_in_transactions_bounded_by_bytes_and_each_event_counts_once()
    {
        const long Size = 1024 * 1024;
        const int Events = 400;
        var store = new InMemoryProjectionStore { SizeOf = _ => Size };
        await using ProjectionEngine engine = Start(store);
        RecordedEvent[][] batches = [.. Enumerable.Range(0, 2).Select(p =>
            Enumerable.Range(0, Events).Select(i => Tally.Event(p, 2 * i, $"a{p}-{i % 150}", (i / 150) + 1, new Added(1))).ToArray())];
        await Task.WhenAll(Enumerable.Range(0, 2).Select(p => engine.Project(p, batches[p], 2 * Events, None)));
        store.Sizes.Max().ShouldBeLessThanOrEqualTo(16 * Size);
        store.Documents("entries").Count.ShouldBe(2 * Events);
        store.Documents("totals").Values.Cast<Total>().Sum(t => t.Events).ShouldBe(2 * Events);
        store.Documents("days").Values.Cast<Day>().Sum(d => d.Sum).ShouldBe(2 * Events);
        (await store.NextOf(Tally.Entries, 1, None)).ShouldBe(2 * Events);
    }

    [Fact]
    public async Task WaitFor_token_completes_when_the_event_is_written()
    {
        var store = new InMemoryProjectionStore();
        await using ProjectionEngine engine = Start(store);
        Task waiting = engine.Positions.WaitForAsync(new ConsistencyToken(0, 1), None);
        await engine.Project(0, [Tally.Event(0, 0, "a", 1, new Added(1))], 1, None);
        waiting.IsCompleted.ShouldBeFalse();
        await engine.Project(0, [Tally.Event(0, 1, "a", 2, new Added(1))], 2, None);
        await waiting;
        await engine.Positions.WaitForAsync(new ConsistencyToken(0, 0), None);
    }

    [Fact]
    public async Task WaitFor_token_of_a_partition_that_another_node_writes_completes_when_it_is_stored()
    {
        var store = new InMemoryProjectionStore();
        await using ProjectionEngine here = Start(store);
        await using ProjectionEngine other = Start(store);
        Task waiting = here.WaitForAsync(new ConsistencyToken(0, 1), None);
        await other.Project(0, [Tally.Event(0, 0, "a", 1, new Added(1))], 1, None);
        await Should.ThrowAsync<TimeoutException>(() => waiting.WaitAsync(TimeSpan.FromMilliseconds(100), None));
        await other.Project(0, [Tally.Event(0, 1, "a", 2, new Added(1))], 2, None);
        await waiting;
        here.Positions.Of(0).ShouldBe(2);
    }

    [Fact]
    public async Task WaitFor_ends_when_it_is_cancelled()
    {
        await using ProjectionEngine engine = Start(new InMemoryProjectionStore());
        using var cancel = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await Should.ThrowAsync<OperationCanceledException>(() => engine.WaitForAsync(new ConsistencyToken(7, 1), cancel.Token));
    }

    [Fact]
    public async Task WaitFor_cancelled_leaves_other_waiters_alone()
    {
        var positions = new ProjectionPositions();
        using var cancel = new CancellationTokenSource();
        Task cancelled = positions.WaitForAsync(new ConsistencyToken(0, 4), cancel.Token);
        Task other = positions.WaitForAsync(new ConsistencyToken(0, 4), None);
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => cancelled);
        positions.Advance(0, 5);
        await other;
    }

    [Fact]
    public void Any_batching_with_restarts_gives_the_fold_of_the_events_once()
    {
        Gen<(string Aggregate, object Payload)[]> history =
            Gen.Select(Gen.Int[0, 2].Select(i => "abc"[i].ToString()),
                Gen.Frequency((9, Gen.Int[1, 9].Select(by => (object)new Added(by))), (1, Gen.Const((object)new Cleared()))))
                .Array[1, 60];
        Gen.Select(history, Gen.Int[1, 12], Gen.Int[0, 6], Gen.Bool).Sample((events, batchSize, overlap, loseAnswers) =>
            Replay(events, batchSize, overlap, loseAnswers).GetAwaiter().GetResult(), iter: 200);
    }

    private static async Task<bool> Replay((string Aggregate, object Payload)[] history, int batchSize, int overlap, bool loseAnswers)
    {
        var versions = new Dictionary<string, long>();
        RecordedEvent[] events = [.. history.Select((e, i) =>
            Tally.Event(0, i * 2, e.Aggregate, versions[e.Aggregate] = versions.GetValueOrDefault(e.Aggregate) + 1, e.Payload))];
        var store = new InMemoryProjectionStore();
        int at = 0;
        while (at < events.Length)
        {
            // Each round is a new node that reads again some of what the one before it wrote.
            await using ProjectionEngine engine = Start(store);
            await engine.StartOfAsync(0, None);
            int round = 0;
            store.AfterCommit = () =>
            {
                if (loseAnswers && round++ == 0)
                    throw new CheckpointMovedException(new CheckpointMove("totals", 0, default, null, 0, null));
            };
            int from = Math.Max(0, at - overlap);
            int to = Math.Min(events.Length, at + batchSize);
            await engine.Project(0, events[from..to], (to * 2) - 1, None);
            at = to;
        }

        var expected = new Dictionary<string, object>();
        foreach (RecordedEvent recorded in events)
        {
            string id = recorded.AggregateId.Value;
            if (recorded.Payload is Added added)
                expected[id] = expected.TryGetValue(id, out object? present) && present is Total t
                    ? new Total(id, t.Sum + added.By, t.Events + 1)
                    : new Total(id, added.By, 1);
            else
                expected.Remove(id);
        }

        IReadOnlyDictionary<string, object> totals = store.Documents("totals");
        return totals.Count == expected.Count && expected.All(e => totals[e.Key].Equals(e.Value))
            && store.Documents("entries").Count == events.Count(e => e.Payload is Added)
            && store.Documents("days").Values.Cast<Day>().Sum(d => d.Sum) == events.Sum(e => e.Payload is Added a ? a.By : 0);
    }
}
