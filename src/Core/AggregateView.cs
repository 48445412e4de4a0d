namespace KafkaEventSourcing;

/// <summary>One aggregate as a read returns it.</summary>
/// <param name="AggregateId">The aggregate.</param>
/// <param name="Version">Its version; at least 1.</param>
/// <param name="State">Its state: the fold of its events up to that version.</param>
/// <param name="Token">The position of its last event.</param>
public sealed record AggregateView<TState>(AggregateId AggregateId, long Version, TState State, ConsistencyToken Token)
    where TState : class;

/// <summary>
/// One aggregate as the engine reads it, which knows aggregate types only at run time. Applications read
/// <see cref="AggregateView{TState}"/>.
/// </summary>
/// <inheritdoc cref="AggregateView{TState}"/>
public sealed record AggregateView(AggregateId AggregateId, long Version, object State, ConsistencyToken Token);
