using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Projections.Tests;

public enum Damage
{
    CheckpointGone,
    CheckpointSetBack,
    CheckpointSetAhead,
    CheckpointRestored,
    AllCheckpointsGone,
    DocumentsDropped,
    DocumentsReplaced,
    EverythingDropped,
}

/// <summary>
/// What is done to the read models behind a node's back: afterwards they are the fold of all events again. Once the node wrote a checkpoint
/// at its place over emptied collections, and all before it was missing for good.
/// </summary>
public abstract class ReadModelDamageContract
{
    private const int Partitions = 2;

    private readonly TallyLog _log = new(Partitions);

    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [CombinatorialDamage]
    public async Task Damage_under_a_running_node_or_between_two_runs_leaves_the_fold_of_all_events(Damage damage, bool whileRunning)
    {
        _log.Append(0, 60);
        _log.Append(1, 40);
        ProjectionEngine engine = Start();
        try
        {
            TallyReader reader = _log.Reader(engine);
            await reader.Read(Cancellation);
            await Save("totals", 0);
            _log.Append(0, 20);
            await reader.Read(Cancellation);
            Guid before = await BuildOf(Tally.Totals);
            if (!whileRunning)
                await engine.DisposeAsync();

            await Do(damage, "totals");
            await Do(damage, "days");

            if (!whileRunning)
                (engine, reader) = Restart();
            _log.Append(0, 1);
            await reader.Read(Cancellation);
            await engine.InspectAsync(Cancellation);
            await reader.Read(Cancellation);
            await ShouldBeFoldOfAllEvents();
            (await BuildOf(Tally.Totals)).ShouldNotBe(before);
            await engine.WaitUntilWholeAsync(Cancellation);
        }
        finally
        {
            await engine.DisposeAsync();
        }

        (ProjectionEngine, TallyReader) Restart()
        {
            ProjectionEngine restarted = Start();
            return (restarted, _log.Reader(restarted));
        }
    }

    [Fact]
    public async Task Damage_under_a_node_that_has_nothing_to_do_is_found_by_the_next_look()
    {
        _log.Append(0, 30);
        await using ProjectionEngine engine = Start();
        TallyReader reader = _log.Reader(engine);
        await reader.Read(Cancellation);
        await Do(Damage.EverythingDropped, "totals");
        await engine.InspectAsync(Cancellation);
        await reader.Read(Cancellation);
        await ShouldBeFoldOfAllEvents();
    }

    [Fact]
    public async Task Checkpoint_that_another_node_moved_on_begins_nothing_anew()
    {
        _log.Append(0, 10);
        await using ProjectionEngine stale = Start();
        TallyReader staleReader = _log.Reader(stale);
        await staleReader.Read(Cancellation);
        Guid before = await BuildOf(Tally.Days);
        await using ProjectionEngine owner = Start();
        _log.Append(0, 10);
        await _log.Reader(owner).Read(Cancellation);
        await staleReader.Read(Cancellation);
        await ShouldBeFoldOfAllEvents();
        (await BuildOf(Tally.Days)).ShouldBe(before);
    }

    [Fact]
    public async Task Writer_of_a_build_that_is_over_is_refused()
    {
        _log.Append(0, 10);
        await using ProjectionEngine engine = Start();
        await _log.Reader(engine).Read(Cancellation);
        Guid before = await BuildOf(Tally.Totals);
        (await Store.StartAnewAsync(Tally.Totals, new SeenReadModel(before), new Dictionary<EventPartition, long>(), [],
            Cancellation)).ShouldBeTrue();

        foreach (long? from in (long?[])[null, 10])
            await Should.ThrowAsync<CheckpointMovedException>(() =>
                Store.CommitAsync([], [new CheckpointMove("totals", 0, before, from, 20, null)], Cancellation));
        (await Store.LoadCheckpointAsync(Tally.Totals, 0, Cancellation)).ShouldBeNull();
        (await Store.StartAnewAsync(Tally.Totals, new SeenReadModel(before), new Dictionary<EventPartition, long>(), [],
            Cancellation)).ShouldBeFalse();
    }

    [Fact]
    public async Task Checkpoint_that_is_not_as_it_was_seen_any_more_begins_nothing_anew()
    {
        _log.Append(0, 10);
        await using ProjectionEngine engine = Start();
        await _log.Reader(engine).Read(Cancellation);
        Guid build = await BuildOf(Tally.Totals);
        (await Store.StartAnewAsync(Tally.Totals, new SeenReadModel(build, 0, NextOffset: 3), new Dictionary<EventPartition, long>(), [],
            Cancellation)).ShouldBeFalse();
        (await Store.StartAnewAsync(Tally.Totals, new SeenReadModel(build, 0, NextOffset: null), new Dictionary<EventPartition, long>(), [],
            Cancellation)).ShouldBeFalse();
        (await Store.StartAnewAsync(Tally.Totals, new SeenReadModel(null), new Dictionary<EventPartition, long>(), [],
            Cancellation)).ShouldBeFalse();
        (await BuildOf(Tally.Totals)).ShouldBe(build);
        await ShouldBeFoldOfAllEvents();
    }

    [Fact]
    public async Task Read_model_that_is_built_anew_is_whole_when_it_has_what_it_had()
    {
        _log.Append(0, 20);
        _log.Append(1, 20);
        await using ProjectionEngine engine = Start();
        TallyReader reader = _log.Reader(engine);
        await reader.Read(Cancellation);
        await Do(Damage.EverythingDropped, "totals");
        await engine.InspectAsync(Cancellation);
        (await Store.LoadStateAsync(Tally.Totals, Cancellation))!.Until.ShouldBe(
            new Dictionary<EventPartition, long> { [0] = 20, [1] = 20 }, ignoreOrder: true);
        await reader.Read(Cancellation);
        (await Store.LoadStateAsync(Tally.Totals, Cancellation))!.Until.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("another topic", "the events topic was made anew (its id is second, not first)")]
    [InlineData("cut", "the log ends at 5, before its checkpoint 20: it was cut or restored")]
    [InlineData("deleted", "the log begins at 30, behind its checkpoint 20: the events between them are gone")]
    public async Task Log_that_is_not_the_one_that_was_left_stops_the_read_model_and_says_why(string what, string reason)
    {
        _log.Append(0, 20);
        await using ProjectionEngine engine = Start();
        TallyReader reader = _log.Reader(engine);
        await reader.Read(Cancellation);
        string[] before = await Documents("totals");
        if (what == "another topic")
        {
            _log.TopicId = "second";
        }
        else if (what == "cut")
        {
            _log.Truncate(5);
        }
        else
        {
            _log.Append(0, 20);
            _log.Start = 30;
        }

        await engine.InspectAsync(Cancellation);
        engine.Stops.All()[("totals", 0)].ShouldContain(reason);
        (await engine.Stops.Any).ShouldContain("is stopped in partition");
        if (what != "cut")
            _log.Append(0, 20); // whoever owns a log that was cut appends nothing to it
        await engine.ProjectAsync(0, 0, _log.From(0, Math.Max(0, _log.End(0) - 7)), _log.End(0), Cancellation);
        (await Documents("totals")).ShouldBe(before);
        (await engine.StartOfAsync(0, Cancellation)).ShouldBe(_log.End(0)); // nothing is to be read

        await using ProjectionEngine restarted = Start();
        (await restarted.StartOfAsync(0, Cancellation)).ShouldBe(_log.End(0));
        restarted.Stops.All()[("totals", 0)].ShouldContain(reason);
        (await Documents("totals")).ShouldBe(before);
    }

    // A read model was stopped, and its partition's events passed over until the next look, when events and checkpoint had come between the
    // look at the log and that at the checkpoint.
    [Fact]
    public async Task Log_that_grows_while_it_is_looked_at_stops_nothing()
    {
        _log.Append(0, 20);
        await using ProjectionEngine engine = Start();
        await _log.Reader(engine).Read(Cancellation);
        _log.EndedBefore = 5;
        await engine.InspectAsync(Cancellation);
        engine.Stops.All().ShouldBeEmpty();
    }

    [Fact]
    public async Task Stopped_read_model_whose_checkpoints_are_deleted_is_folded_from_the_log_that_there_is()
    {
        _log.Append(0, 20);
        await using ProjectionEngine engine = Start();
        TallyReader reader = _log.Reader(engine);
        await reader.Read(Cancellation);
        _log.TopicId = "second";
        _log.Truncate(0);
        _log.Append(0, 12);
        await engine.InspectAsync(Cancellation);
        engine.Stops.All().Count.ShouldBe(3 * 1);

        await Do(Damage.AllCheckpointsGone, "totals");
        await engine.InspectAsync(Cancellation);
        await reader.Read(Cancellation);
        engine.Stops.All().ShouldBeEmpty();
        await ShouldBeFoldOfAllEvents();
    }

    [Fact]
    public async Task Log_without_its_beginning_stops_a_read_model_that_must_be_folded_from_there()
    {
        _log.Append(0, 20);
        _log.Start = 4;
        await using ProjectionEngine engine = Start();
        (await engine.StartOfAsync(0, Cancellation)).ShouldBe(20);
        engine.Stops.All()[("totals", 0)].ShouldBe(
            "The read model 'totals' is stopped in partition 0: it has to be folded from the first event, and the log begins at 4.");
    }

    private protected abstract IProjectionStore Store { get; }

    /// <summary>Keeps the checkpoint as it is, for <see cref="Damage.CheckpointRestored"/>.</summary>
    protected abstract Task Save(string readModel, int partition);

    protected abstract Task Do(Damage damage, string readModel);

    /// <summary>All documents, as text.</summary>
    protected abstract Task<string[]> Documents(string readModel);

    private ProjectionEngine Start() =>
        new(Tally.All, Store, new ProjectionEngineOptions { CheckInterval = TimeSpan.FromHours(1) },
            NullLogger<ProjectionEngine>.Instance, _log);

    private async Task<Guid> BuildOf(ProjectionDefinition projection) => (await Store.LoadStateAsync(projection, Cancellation))!.Build;

    private async Task ShouldBeFoldOfAllEvents()
    {
        var expected = new InMemoryProjectionStore();
        await using (var engine = new ProjectionEngine(Tally.All, expected, new ProjectionEngineOptions(),
            NullLogger<ProjectionEngine>.Instance, _log))
            await _log.Reader(engine).Read(Cancellation);
        foreach (ProjectionDefinition projection in Tally.All)
            ((IEnumerable<string>)await Documents(projection.Name)).ShouldBe(expected.Documents(projection.Name).Values.Select(d =>
                d.ToString()!).Order(StringComparer.Ordinal), ignoreOrder: false, projection.Name);
    }

    private sealed class CombinatorialDamageAttribute : Xunit.v3.DataAttribute
    {
        public override ValueTask<IReadOnlyCollection<ITheoryDataRow>> GetData(
            System.Reflection.MethodInfo testMethod, Xunit.Sdk.DisposalTracker disposalTracker) =>
            new(
            [
                // Between two runs nobody knows that a checkpoint was further once: one that was restored together with its documents is
                // right.
                .. Enum.GetValues<Damage>().SelectMany(d => d == Damage.CheckpointRestored ? [true] : (bool[])[true, false],
                    (damage, running) => new TheoryDataRow<Damage, bool>(damage, running)),
            ]);

        public override bool SupportsDiscoveryEnumeration() => true;
    }
}
