namespace KafkaEventSourcing.Processing;

/// <summary>An aggregate as a batch leaves it.</summary>
internal sealed class AggregateDraft(AggregateEntry entry)
{
    private const int FewOutcomes = 8;

    private Dictionary<string, RememberedOutcome>? _byId;
    private int _indexed;

    public AggregateEntry Entry => entry;

    public long Version { get; set; } = entry.Version;

    public long EventOffset { get; set; } = entry.EventOffset;

    public object State { get; set; } = entry.State;

    /// <summary>Which events of the batch are the aggregate's.</summary>
    public List<int> Events { get; } = new(1); // most aggregates have one command in a batch

    public List<RememberedOutcome> Outcomes { get; } = new(1);

    public CommandOutcome Remember(IncomingCommand command, CommandOutcome outcome)
    {
        Outcomes.Add(new RememberedOutcome(command.CommandId.Value, outcome, command.Digest));
        return outcome;
    }

    public bool TryGetOutcome(string commandId, out RememberedOutcome outcome)
    {
        if (Outcomes.Count > FewOutcomes)
            return IndexedOutcomes().TryGetValue(commandId, out outcome);
        foreach (RememberedOutcome known in Outcomes)
        {
            if (known.CommandId == commandId)
            {
                outcome = known;
                return true;
            }
        }

        outcome = default;
        return false;
    }

    private Dictionary<string, RememberedOutcome> IndexedOutcomes()
    {
        _byId ??= [];
        for (; _indexed < Outcomes.Count; _indexed++)
            _byId.Add(Outcomes[_indexed].CommandId, Outcomes[_indexed]);
        return _byId;
    }
}
