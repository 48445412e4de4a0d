namespace KafkaEventSourcing.Hosting.Tests;

/// <summary>Applications whose parts do not go together.</summary>
public sealed class ApplicationDefinitionTests
{
    // Both were started, on the same topics and in the same group.
    [Fact]
    public void Two_aggregate_types_of_one_name_are_refused() =>
        Should.Throw<InvalidOperationException>(() => Application(Tally("tally"), Tally("tally")).Build()).Message.ShouldBe(
            "Two aggregate types of the application 'bank' are named 'tally'.");

    [Fact]
    public void Two_aggregate_types_may_decide_the_same_commands() =>
        Application(Tally("tally"), Tally("score")).Build().Aggregates.Select(a => a.Name).ShouldBe(["tally", "score"]);

    // A process says which command it sends, and not to which aggregate type.
    [Fact]
    public void Command_of_two_aggregate_types_beside_a_process_is_refused_by_name()
    {
        AggregateDefinition<object> process = AggregateDefinition.Define("process", new object())
            .Decides<Start>((_, _) => Decision.Accept(new Tallied())).Evolves<Tallied>((state, _) => state)
            .Reacts<Tallied>((_, _) => Reaction.None).Build();
        Should.Throw<InvalidOperationException>(() => Application(Tally("tally"), Tally("score"), process).Build()).Message.ShouldContain(
            "the aggregate types 'tally' and 'score' decide Count");
    }

    private static EventSourcedApplication Application(params ReadOnlySpan<AggregateDefinition<object>> aggregates)
    {
        EventSourcedApplication application = EventSourcedApplication.Named("bank", "A bank.");
        foreach (AggregateDefinition<object> aggregate in aggregates)
            application.With(aggregate);
        return application;
    }

    private static AggregateDefinition<object> Tally(string name) => AggregateDefinition.Define(name, new object())
        .Decides<Count>((_, _) => Decision.Accept(new Tallied())).Evolves<Tallied>((state, _) => state).Build();

    private sealed record Count;

    private sealed record Start;

    private sealed record Tallied;
}
