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
        Should.Throw<InvalidOperationException>(() =>
            ProjectionDefinition.Define<Day>("days").Sums<Added>((a, _) => new("d", a.By)).Build())
            .Message.ShouldContain("Adding");

    [Fact]
    public void Build_without_events_is_refused() =>
        Should.Throw<InvalidOperationException>(() => ProjectionDefinition.Define<Day>("days").Build());

    [Fact]
    public void Two_kinds_in_one_projection_are_refused() =>
        Should.Throw<InvalidOperationException>(() => ProjectionDefinition.Define<Day>("days")
            .Sums<Added>((a, _) => new("d", a.By)).Inserts<Cleared>((_, _) => new("d", 0)));

    [Fact]
    public void The_same_event_twice_is_refused() =>
        Should.Throw<InvalidOperationException>(() => ProjectionDefinition.Define<Day>("days")
            .Sums<Added>((a, _) => new("d", a.By)).Sums<Added>((a, _) => new("d", a.By)));

    [Fact]
    public async Task Key_is_named_once_and_an_event_may_have_its_own()
    {
        var store = new InMemoryProjectionStore();
        ProjectionDefinition days = ProjectionDefinition.Define<Day>("days").Key(r => $"{r.Time:yyyy}").Key<Cleared>(_ => "cleared")
            .Initially(key => new(key, 0))
            .Changes<Added>((day, added) => day with { Sum = day.Sum + added.By })
            .Changes<Cleared>((day, _, r) => day with { Sum = day.Sum + r.Version })
            .Build();
        ProjectionDefinition totals = ProjectionDefinition.Define<Total>("totals")
            .Folds<Added>((total, added, r) => new(r.AggregateId.Value, (total?.Sum ?? 0) + added.By, 0)).Build();
        await using (var engine = new ProjectionEngine([days, totals], store, new(),
            Microsoft.Extensions.Logging.Abstractions.NullLogger<ProjectionEngine>.Instance))
            await engine.Project(0, [Tally.Event(0, 0, "a", 1, new Added(2)), Tally.Event(0, 1, "a", 2, new Added(3)),
                Tally.Event(0, 2, "b", 1, new Cleared())], 3, CancellationToken.None);
        store.Documents("days").ShouldBe(new Dictionary<string, object>
        {
            ["1970"] = new Day("1970", 5),
            ["cleared"] = new Day("cleared", 1),
        }, ignoreOrder: true);
        store.Documents("totals").ShouldBe(new Dictionary<string, object> { ["a"] = new Total("a", 5, 0) });
    }

    [Fact]
    public void Build_key_of_a_projection_that_inserts_is_refused() =>
        Should.Throw<InvalidOperationException>(() =>
            ProjectionDefinition.Define<Day>("days").Key(_ => "d").Inserts<Added>((a, _) => new("d", a.By)).Build())
            .Message.ShouldBe("The projection 'days' inserts: its keys are the ids of what its functions return, and Key and Initially "
                + "have nothing to say.");

    [Fact]
    public void Build_key_for_an_event_that_is_not_read_is_refused() =>
        Should.Throw<InvalidOperationException>(() =>
            ProjectionDefinition.Define<Day>("days").Key<Cleared>(_ => "d").Changes<Added>((day, _) => day).Build())
            .Message.ShouldBe("The projection 'days' has a key for Cleared, which it does not read.");

    [Fact]
    public void Define_document_without_an_id_is_refused() =>
        Should.Throw<InvalidOperationException>(() => ProjectionDefinition.Define<Added>("added"))
            .Message.ShouldBe(
                "The document type Added of the projection 'added' needs a property 'Id' of type string: it is the key of its documents.");

    [Fact]
    public async Task Change_of_a_document_that_is_not_there_stops_the_partition_and_names_the_key()
    {
        ProjectionDefinition totals = ProjectionDefinition.Define<Total>("totals").Creates<Cleared>((_, r) =>
            new(r.AggregateId.Value, 0, 0)).Changes<Added>((total, added) => total with { Sum = total.Sum + added.By }).Build();
        var store = new InMemoryProjectionStore();
        await using var engine = new ProjectionEngine([totals], store, new(),
            Microsoft.Extensions.Logging.Abstractions.NullLogger<ProjectionEngine>.Instance);
        await engine.Project(0, [Tally.Event(0, 0, "a", 1, new Cleared()), Tally.Event(0, 1, "a", 2, new Added(3))], 2,
            CancellationToken.None);
        store.Documents("totals").ShouldBe(new Dictionary<string, object> { ["a"] = new Total("a", 3, 0) });
        (await Should.ThrowAsync<InvalidDataException>(() =>
            engine.Project(0, [Tally.Event(0, 2, "b", 1, new Added(3))], 3, CancellationToken.None))).Message
            .ShouldBe("The projection totals does not take the event 0@2, Added of b: there is no document 'b' to change; an event that "
                + "creates it must come before, or Initially say how it begins.");
    }

    [Fact]
    public void Index_is_of_properties_in_order_and_direction()
    {
        ProjectionDefinition<Order> orders = ProjectionDefinition.Define<Order>("orders").Inserts<Added>((_, r) =>
            new(r.AggregateId.Value, new("X"), [], null))
            .Index(o => o.Address.City, o => o.Paid)
            .Index(i => i.Descending(o => o.Paid!.Value).Ascending(o => o.Lines.Select(l => l.Product)).Unique())
            .Build();
        orders.Indexes.Select(i => (string.Join(',', i.Fields.Select(f => $"{(f.IsDescending ? "-" : "")}{f}")), i.IsUnique)).ShouldBe(
            [("Address.City,Paid", false), ("-Paid,Lines.Product", true)]);
    }

    [Fact]
    public void Index_of_something_that_is_not_a_property_is_refused()
    {
        ProjectionBuilder<Order> orders = ProjectionDefinition.Define<Order>("orders");
        Should.Throw<InvalidOperationException>(() => orders.Index(o => o.Address.City.ToUpperInvariant())).Message
            .ShouldBe("The index field 'o => o.Address.City.ToUpperInvariant()' of the projection 'orders' is not a property of its "
                + "documents: write it as d => d.Owner, d => d.Address.City, or d => d.Lines.Select(l => l.Product).");
        Should.Throw<InvalidOperationException>(() => orders.Index(o => o.Lines.Count(l => l.Product == "x"))).Message.ShouldContain(
            "is not a property");
        Should.Throw<InvalidOperationException>(() => orders.Index(i => i.Unique())).Message.ShouldBe(
            "An index of the projection 'orders' has no field.");
    }

    public sealed record Order(string Id, Address Address, Line[] Lines, DateOnly? Paid);

    public sealed record Address(string City);

    public sealed record Line(string Product);

    [Fact]
    public void Engine_two_projections_of_one_name_are_refused() =>
        Should.Throw<InvalidInputException>(() =>
            new ProjectionEngine([Tally.Totals, Tally.Totals], new InMemoryProjectionStore(), new(),
                Microsoft.Extensions.Logging.Abstractions.NullLogger<ProjectionEngine>.Instance));
}
