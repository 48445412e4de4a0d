using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Processing;

/// <summary>An event that a batch decided, and where it will stand.</summary>
internal readonly record struct DecidedEvent(AggregateEntry Aggregate, object Payload, long Version, IncomingCommand Cause, int Index);

/// <summary>
/// Decides the commands of one batch against the store and what the batch has decided already. It has no effect until <see cref="Apply"/>: an aborted batch is simply dropped and
/// decided again.
/// </summary>
internal sealed class BatchDecider
{
    private readonly AggregateDefinition _definition;
    private readonly AggregateCache _aggregates;
    private readonly int _partition;
    private readonly Dictionary<AggregateId, Draft> _drafts = [];
    private readonly List<DecidedEvent> _events = [];
    private readonly List<(IncomingCommand Command, CommandReply Reply)> _replies = [];
    private long _nextOffset;

    public BatchDecider(AggregateDefinition definition, int partition, AggregateCache aggregates) =>
        (_definition, _partition, _aggregates) = (definition, partition, aggregates);

    /// <summary>The events, in the order of their offsets, which follow one another.</summary>
    public IReadOnlyList<DecidedEvent> Events => _events;

    /// <summary>One reply a command.</summary>
    public IReadOnlyList<(IncomingCommand Command, CommandReply Reply)> Replies => _replies;

    /// <summary>Starts a batch whose first event will stand at <paramref name="nextEventOffset"/>.</summary>
    public void Begin(long nextEventOffset)
    {
        _drafts.Clear();
        _events.Clear();
        _replies.Clear();
        _nextOffset = nextEventOffset;
    }

    /// <summary>Decides the next command.</summary>
    public void Decide(IncomingCommand command) => _replies.Add((command, Answer(command)));

    /// <summary>Takes the batch over into the aggregates and <paramref name="store"/>; its events stand in the log now.</summary>
    public void Apply(StateStore store, long checkpoint)
    {
        foreach (Draft draft in _drafts.Values)
        {
            AggregateEntry entry = draft.Entry;
            foreach (CommandReply outcome in draft.Outcomes)
                store.PutOutcome(entry, outcome);
            entry.Version = draft.Version;
            entry.EventOffset = draft.EventOffset;
            entry.State = draft.State;
            if (draft.Outcomes.Count > 0)
                store.PutState(entry);
        }

        foreach (DecidedEvent decided in _events)
            store.PutIndex(decided.Aggregate.Key, decided.Version, OffsetOf(decided));
        store.Write(checkpoint);
        _aggregates.Trim();
    }

    private long OffsetOf(DecidedEvent decided) => _nextOffset - _events.Count + decided.Index;

    private CommandReply Answer(IncomingCommand command)
    {
        if (command.Fault is { } fault)
            return Faulted(command, 0, fault.Code, fault.Message);

        Draft draft = DraftOf(command.AggregateId);
        if (draft.TryGetOutcome(command.CommandId.Value, out CommandReply? first))
            return first! with { Duplicate = true };
        if (!command.Expected.IsMetBy(draft.Version))
            return draft.Remember(Reply(command, ReplyOutcome.Conflict, draft.Version) with { ExpectedVersion = command.Expected.ToString() });

        Decision decision;
        object state = draft.State;
        try
        {
            decision = _definition.Decide(draft.State, command.Payload!, new CommandContext(command.AggregateId, command.CommandId, command.Time, draft.Version));
            for (int i = 0; i < decision.Count; i++)
                state = _definition.Evolve(state, decision[i]);
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            return Faulted(command, draft.Version, "decide-failed", $"{command.Payload!.GetType().Name} could not be decided: {failure.GetType().Name}: {failure.Message}");
        }

        if (decision.Rejection is { } rejection)
            return draft.Remember(Reply(command, ReplyOutcome.Rejected, draft.Version) with { Code = rejection.Code, Message = rejection.Message, Details = rejection.Details });

        for (int i = 0; i < decision.Count; i++)
        {
            draft.Version++;
            draft.EventOffset = _nextOffset++;
            _events.Add(new DecidedEvent(draft.Entry, decision[i], draft.Version, command, _events.Count));
        }

        draft.State = state;
        return draft.Remember(Reply(command, ReplyOutcome.Accepted, draft.Version) with
        {
            EventPartition = draft.EventOffset < 0 ? -1 : _partition,
            EventOffset = draft.EventOffset,
        });
    }

    private static CommandReply Reply(IncomingCommand command, ReplyOutcome outcome, long version) => new()
    {
        CommandId = command.CommandId.Value,
        AggregateId = command.AggregateId.IsDefault ? command.KeyText : command.AggregateId.Value,
        Outcome = outcome,
        Version = version,
    };

    private static CommandReply Faulted(IncomingCommand command, long version, string code, string message) =>
        Reply(command, ReplyOutcome.Faulted, version) with { Code = code, Message = message };

    private Draft DraftOf(AggregateId id)
    {
        if (!_drafts.TryGetValue(id, out Draft? draft))
            _drafts.Add(id, draft = new Draft(_aggregates.Get(id)));
        return draft;
    }

    /// <summary>An aggregate as this batch leaves it.</summary>
    private sealed class Draft(AggregateEntry entry)
    {
        public AggregateEntry Entry => entry;

        public long Version { get; set; } = entry.Version;

        public long EventOffset { get; set; } = entry.EventOffset;

        public object State { get; set; } = entry.State;

        public List<CommandReply> Outcomes { get; } = [];

        public CommandReply Remember(CommandReply outcome)
        {
            Outcomes.Add(outcome);
            return outcome;
        }

        public bool TryGetOutcome(string commandId, out CommandReply? outcome)
        {
            if (entry.TryGetOutcome(commandId, out outcome))
                return true;
            foreach (CommandReply decided in Outcomes)
            {
                if (decided.CommandId == commandId)
                {
                    outcome = decided;
                    return true;
                }
            }

            return false;
        }
    }
}
