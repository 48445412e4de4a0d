namespace KafkaEventSourcing.Projections.Tests;

public class ProjectionBuilderTests
{
    [Theory]
    [InlineData("")]
    [InlineData("1day")]
    [InlineData("a.b")]
    [InlineData("a$b")]
    public void Define_name_that_cannot_be_a_collection_is_refused(string name) =>
        Should.Throw<InvalidInputException>(() => ProjectionDefinition.Define<Total>(name)).Field.ShouldBe("projection");

    [Fact]
    public void Build_sums_without_Adding_is_refused() =>
        Should.Throw<InvalidOperationException>(() => ProjectionDefinition.Define<Day>("days").Sums<Added>((_, _) => "d", (a, _) => new("d", a.By)).Build())
            .Message.ShouldContain("Adding");

    [Fact]
    public void Build_without_events_is_refused() => Should.Throw<InvalidOperationException>(() => ProjectionDefinition.Define<Day>("days").Build());

    [Fact]
    public void Two_kinds_in_one_projection_are_refused() =>
        Should.Throw<InvalidOperationException>(() => ProjectionDefinition.Define<Day>("days")
            .Sums<Added>((_, _) => "d", (a, _) => new("d", a.By)).Inserts<Cleared>((_, _) => "d", (_, _) => new("d", 0)));

    [Fact]
    public void The_same_event_twice_is_refused() =>
        Should.Throw<InvalidOperationException>(() => ProjectionDefinition.Define<Day>("days")
            .Sums<Added>((_, _) => "d", (a, _) => new("d", a.By)).Sums<Added>((_, _) => "d", (a, _) => new("d", a.By)));

    [Fact]
    public async Task Key_is_named_once_and_an_event_may_have_its_own()
    {
        var store = new InMemoryProjectionStore();
        ProjectionDefinition days = ProjectionDefinition.Define<Day>("days").Key(r => $"{r.Time:yyyy}")
            .Sums<Added>((added, r) => new($"{r.Time:yyyy}", added.By))
            .Sums<Cleared>((_, _) => "cleared", (_, _) => new("cleared", 1))
            .Adding((a, b) => a with { Sum = a.Sum + b.Sum })
            .Build();
        ProjectionDefinition totals = ProjectionDefinition.Define<Total>("totals")
            .Folds<Added>((total, added, r) => new(r.AggregateId.Value, (total?.Sum ?? 0) + added.By, 0)).Build();
        await using (var engine = new ProjectionEngine([days, totals], store, new(), Microsoft.Extensions.Logging.Abstractions.NullLogger<ProjectionEngine>.Instance))
            await engine.Project(0, [Tally.Event(0, 0, "a", 1, new Added(2)), Tally.Event(0, 1, "a", 2, new Added(3)), Tally.Event(0, 2, "b", 1, new Cleared())], 3, CancellationToken.None);
        store.Documents("days").ShouldBe(new Dictionary<string, object> { ["1970"] = new Day("1970", 5), ["cleared"] = new Day("cleared", 1) }, ignoreOrder: true);
        store.Documents("totals").ShouldBe(new Dictionary<string, object> { ["a"] = new Total("a", 5, 0) });
    }

    [Fact]
    public void Build_inserts_without_a_key_is_refused() =>
        Should.Throw<InvalidOperationException>(() => ProjectionDefinition.Define<Day>("days").Inserts<Added>((a, _) => new("d", a.By)).Build())
            .Message.ShouldBe("The projection 'days' has no key for Added: call Key, or name it with the event.");

    [Fact]
    public void Engine_two_projections_of_one_name_are_refused() =>
        Should.Throw<InvalidInputException>(() => new ProjectionEngine([Tally.Totals, Tally.Totals], new InMemoryProjectionStore(), new(), Microsoft.Extensions.Logging.Abstractions.NullLogger<ProjectionEngine>.Instance));
}
