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
    public void Engine_two_projections_of_one_name_are_refused() =>
        Should.Throw<InvalidInputException>(() => new ProjectionEngine([Tally.Totals, Tally.Totals], new InMemoryProjectionStore(), new(), Microsoft.Extensions.Logging.Abstractions.NullLogger<ProjectionEngine>.Instance));
}
