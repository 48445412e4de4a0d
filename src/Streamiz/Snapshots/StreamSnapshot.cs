namespace KafkaEventSourcing.Streamiz;

/// <summary>One aggregate as the streams have folded it: behind the log by what they have not read yet, and never a half of an
/// event.</summary>
/// <param name="AggregateId">The aggregate.</param>
/// <param name="Version">Its version.</param>
/// <param name="State">The state.</param>
/// <param name="Token">Where its last event is.</param>
/// <param name="Time">When the command of its last event was created, UTC.</param>
/// <typeparam name="TState">The type of the state.</typeparam>
public sealed record StreamSnapshot<TState>(AggregateId AggregateId, long Version, TState State, ConsistencyToken Token,
    DateTimeOffset Time)
    where TState : class;
