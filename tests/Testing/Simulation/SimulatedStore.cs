namespace KafkaEventSourcing.Testing.Tests.Simulation;

/// <summary>What an owner knows of its aggregates, up to a checkpoint in the log.</summary>
internal sealed class SimulatedStore
{
    private const int RememberedCommands = 40;

    private readonly Dictionary<AggregateId, Aggregate> _aggregates = [];

    public long Checkpoint { get; set; }

    public Aggregate this[AggregateId id] => _aggregates.TryGetValue(id, out Aggregate? found)
        ? found
        : new Aggregate(0, -1, Tally.Definition.InitialState, []);

    public void Put(AggregateId id, Aggregate aggregate) => _aggregates[id] = aggregate;

    public SimulatedStore Copy()
    {
        var copy = new SimulatedStore { Checkpoint = Checkpoint };
        foreach ((AggregateId id, Aggregate aggregate) in _aggregates)
            copy.Put(id, aggregate);
        return copy;
    }

    public void ForgetOutcomes()
    {
        foreach (AggregateId id in _aggregates.Keys.ToArray())
            _aggregates[id] = _aggregates[id] with { Outcomes = [] };
    }

    /// <summary>Folds the events from the checkpoint on.</summary>
    /// <param name="broker">Has them.</param>
    /// <param name="remember">Whether their commands are remembered.</param>
    /// <param name="again">Whether events are folded again that a snapshot of streams has, as it is ahead of its mark.</param>
    public void Replay(SimulatedBroker broker, bool remember, bool again = false)
    {
        foreach (RecordedEvent recorded in broker.ReadCommitted(Checkpoint))
        {
            if (again || recorded.Offset > this[recorded.AggregateId].EventOffset)
                Fold(recorded, remember);
        }

        Checkpoint = broker.EndOffset;
    }

    public void Fold(RecordedEvent recorded, bool remember)
    {
        Aggregate aggregate = this[recorded.AggregateId];
        aggregate = aggregate with
        {
            Version = recorded.Version,
            EventOffset = recorded.Offset,
            State = Tally.Definition.Evolve(aggregate.State, recorded.Payload),
        };
        var outcome = new CommandResult.Accepted(recorded.CommandId, recorded.AggregateId, recorded.Version,
            new ConsistencyToken(recorded.Partition, recorded.Offset));
        Put(recorded.AggregateId, remember ? aggregate.Remember(outcome) : aggregate);
    }

    /// <summary>One aggregate; immutable.</summary>
    internal sealed record Aggregate(long Version, long EventOffset, object State, IReadOnlyList<CommandResult> Outcomes)
    {
        public ConsistencyToken Token => EventOffset < 0 ? default : new ConsistencyToken(0, EventOffset);

        public CommandResult? OutcomeOf(CommandId id) => Outcomes.FirstOrDefault(o => o.CommandId == id);

        public Aggregate Remember(CommandResult outcome) =>
            this with { Outcomes = [.. Outcomes.Where(o => o.CommandId != outcome.CommandId).TakeLast(RememberedCommands - 1), outcome] };
    }
}
