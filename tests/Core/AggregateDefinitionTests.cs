namespace KafkaEventSourcing.Core.Tests;

public class AggregateDefinitionTests
{
    private static readonly CommandContext Context = new(AggregateId.Parse("c-1"), CommandId.Parse("id-1"), DateTimeOffset.UnixEpoch, 0);

    private static readonly AggregateDefinition Counter = AggregateDefinition.Define("counter", new State(0))
        .Decides<Add>((state, add) => state.Sum + add.By > 10
            ? Decision.Reject("too-much", $"{state.Sum} + {add.By} is more than 10.", ("sum", state.Sum), ("by", add.By))
            : Decision.Accept(new Added(add.By)))
        .Decides<Split>((_, split, context) => Decision.Accept([.. Enumerable.Repeat(new Added((int)context.Version), split.Parts)]))
        .Evolves<Added>((state, added) => new State(state.Sum + added.By))
        .Build();

    [Fact]
    public void Decide_accepted_gives_the_event() => Counter.Decide(new State(1), new Add(2), Context).Events.ShouldBe([new Added(2)]);

    [Fact]
    public void Decide_rejected_gives_code_message_and_figures()
    {
        Decision decision = Counter.Decide(new State(9), new Add(2), Context);
        decision.IsRejected.ShouldBeTrue();
        decision.Count.ShouldBe(0);
        decision.Rejection.ShouldBe(new Rejection("too-much", "9 + 2 is more than 10.",
            new Dictionary<string, string> { ["sum"] = "9", ["by"] = "2" }));
    }

    [Fact]
    public void Decide_sees_the_context() => Counter.Decide(new State(0), new Split(2), Context with { Version = 5 }).Events.ShouldBe(
        [new Added(5), new Added(5)]);

    [Fact]
    public void Decide_unknown_command_names_those_that_it_knows()
    {
        UnknownMessageTypeException unknown = Should.Throw<UnknownMessageTypeException>(() =>
            Counter.Decide(new State(0), "text", Context));
        unknown.Message.ShouldContain("String");
        unknown.Message.ShouldContain("Add");
    }

    [Fact]
    public void Evolve_unknown_event_is_refused() => Should.Throw<UnknownMessageTypeException>(() => Counter.Evolve(new State(0), "text"));

    [Fact]
    public void Evolve_folds() => Counter.Evolve(new State(3), new Added(4)).ShouldBe(new State(7));

    [Theory]
    [InlineData("")]
    [InlineData("Counter")]
    [InlineData("1counter")]
    [InlineData("coun.ter")]
    [InlineData("c_c")]
    public void Define_name_that_cannot_be_a_topic_is_refused(string name) =>
        Should.Throw<InvalidInputException>(() => AggregateDefinition.Define(name, new State(0))).Field.ShouldBe("aggregate");

    [Fact]
    public void Define_twice_the_same_command_is_refused() =>
        Should.Throw<InvalidOperationException>(() =>
            AggregateDefinition.Define("x", new State(0)).Decides<Add>((_, _) => Decision.Nothing).Decides<Add>((_, _) =>
                Decision.Nothing));

    [Fact]
    public void Build_without_events_is_refused() =>
        Should.Throw<InvalidOperationException>(() =>
            AggregateDefinition.Define("x", new State(0)).Decides<Add>((_, _) => Decision.Nothing).Build());

    [Fact]
    public void Decision_of_no_events_is_Nothing()
    {
        Decision.Accept([]).Count.ShouldBe(0);
        Decision.Nothing.IsRejected.ShouldBeFalse();
        default(Decision).Events.ShouldBeEmpty();
        Should.Throw<ArgumentOutOfRangeException>(() => Decision.Nothing[0]);
    }

    private sealed record State(int Sum);

    private sealed record Add(int By);

    private sealed record Split(int Parts);

    private sealed record Added(int By);
}
