namespace KafkaEventSourcing.Testing;

internal static class CurrentEvents
{
    /// <summary>What <paramref name="happened"/> is read as.</summary>
    /// <exception cref="UnknownMessageTypeException">It is of a type that the aggregate neither evolves by nor upcasts.</exception>
    public static IReadOnlyList<object> Of<TState>(AggregateDefinition<TState> definition, object happened, in UpcastContext context)
        where TState : class
    {
        ArgumentNullException.ThrowIfNull(happened);
        if (definition.Upcast(happened, context) is { } events)
            return events;
        if (!definition.EventTypes.Contains(happened.GetType()))
            definition.Evolve(definition.InitialState, happened); // says what it knows
        return [happened];
    }
}
