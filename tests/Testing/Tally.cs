namespace KafkaEventSourcing.Testing.Tests;

/// <summary>A tally that does not go below zero, as plain records: no schema, no infrastructure.</summary>
internal static class Tally
{
    public static AggregateDefinition Definition { get; } = AggregateDefinition.Define("tally", new Total(0))
        .Decides<Add>((state, command) => command.Times == 0 ? Decision.Nothing
            : state.Sum + (command.By * command.Times) < 0
            ? Decision.Reject("below-zero", "A tally does not go below zero.", ("sum", state.Sum))
            : Decision.Accept([.. Enumerable.Repeat<object>(new Added(command.By), command.Times)]))
        .Evolves<Added>((state, added) => new Total(state.Sum + added.By))
        .Build();

    internal sealed record Total(long Sum);

    /// <summary>Adds so many times; zero times changes nothing.</summary>
    internal sealed record Add(long By, int Times = 1);

    internal sealed record Added(long By);
}
