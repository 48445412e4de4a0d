using System.Runtime.InteropServices;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>An event that a batch decided, and where it will stand.</summary>
internal readonly record struct DecidedEvent(AggregateEntry Aggregate, object Payload, byte[] Value, long Version,
    IncomingCommand Cause, int Index)
{
    /// <summary>What its key and headers say.</summary>
    public EventHead Head => new(Aggregate.Id, Version, Cause.Time, Cause.CommandId,
        Cause.CorrelationId is { } given ? Encoding.UTF8.GetString(given) : Cause.CommandId.Value);
}

/// <summary>
/// Decides the commands of one batch against the store and what the batch has decided already. It has no effect until <see cref="Apply"/>:
/// an aborted batch is simply dropped and decided again.
/// </summary>
internal sealed class BatchDecider
{
    private const string ForwardedOutcome = "Forwarded";

    private readonly AggregateDefinition _definition;
    private readonly AggregateCache _aggregates;
    private readonly StateStore _store;
    private readonly TopicEncoder _encoder;
    private readonly int _maxEventBytes;
    private readonly int _partition;
    private readonly ParkedAggregates _parked;
    private readonly ProcessEffects _effects;
    private readonly PooledBuffer _buffer = new();
    private readonly StateCheck _states = new();
    private readonly Dictionary<AggregateId, AggregateDraft> _drafts = [];
    private readonly List<DecidedEvent> _events = [];
    private readonly List<(IncomingCommand Command, CommandOutcome Outcome)> _answers = [];
    private readonly List<AggregateDraft> _changed = [];
    private readonly List<AggregateEntry> _entries = [];
    private readonly List<Message<byte[], byte[]>> _deadLetters = [];
    private readonly List<(AggregateId Aggregate, CommandId Command, string Cause, string Message)> _newlyParked = [];
    private readonly Dictionary<AggregateId, (string Cause, string Message)> _parkedHere = [];
    private readonly List<IncomingCommand> _forwarded = [];
    private long _nextOffset;
    private long _bytes;

    public BatchDecider(AggregateDefinition definition, int partition, StateStore store, AggregateCache aggregates, TopicEncoder encoder,
        int maxEventBytes, ParkedAggregates parked, ProcessEffects effects) =>
        (_definition, _partition, _store, _aggregates, _encoder, _maxEventBytes, _parked, _effects) = (definition, partition, store,
            aggregates, encoder, maxEventBytes, parked, effects);

    /// <summary>The events, in the order of their offsets, which follow one another.</summary>
    public IReadOnlyList<DecidedEvent> Events => _events;

    /// <summary>One outcome a command.</summary>
    public IReadOnlyList<(IncomingCommand Command, CommandOutcome Outcome)> Answers => _answers;

    /// <summary>Letters that the batch parks, and what became of earlier ones.</summary>
    public IReadOnlyList<Message<byte[], byte[]>> DeadLetters => _deadLetters;

    /// <summary>Commands that lie on the wrong partition, in order: they are not decided, but forwarded.</summary>
    public IReadOnlyList<IncomingCommand> Forwarded => _forwarded;

    /// <summary>
    /// About how many bytes it keeps in memory until it is committed: of events, answers, and the states that it decides on.
    /// </summary>
    public long Bytes => _bytes + (_effects.Records.Count > 0 ? _effects.Bytes : 0);

    /// <summary>How many bytes of states were stored by <see cref="Apply"/>.</summary>
    public long StateBytes { get; private set; }

    /// <summary>Why a letter could not be processed again.</summary>
    public string LastRefusal { get; private set; } = "";

    /// <summary>Starts a batch whose first event will stand at <paramref name="nextEventOffset"/>.</summary>
    public void Begin(long nextEventOffset)
    {
        Clear();
        _aggregates.ForgetErased();
        _effects.Begin();
        _nextOffset = nextEventOffset;
    }

    /// <summary>Forgets the batch: what was decided is applied or dropped.</summary>
    public void Clear()
    {
        _drafts.Clear();
        _events.Clear();
        _answers.Clear();
        _deadLetters.Clear();
        _newlyParked.Clear();
        _parkedHere.Clear();
        _forwarded.Clear();
        _changed.Clear();
        _entries.Clear();
        (_bytes, StateBytes) = (0, 0);
    }

    /// <summary>Decides the next command, forwards it, or parks it.</summary>
    public void Decide(IncomingCommand command)
    {
        if (command.ForwardTo is not null)
        {
            _forwarded.Add(command);
            return;
        }

        if (command.Timer is { } timer)
        {
            if (!_effects.IsSet(timer, command.Time))
                return; // an earlier command of the batch has cancelled or moved it
            _effects.End(timer);
        }

        Answer(command, command.Fault is null ? TellOrQueue(command) ?? Answer(command) : PutAside(command));
    }

    /// <summary>
    /// Decides the letter at <paramref name="letter"/> of a parked aggregate, whose earlier letters are decided; false when that fails: it
    /// stays where it is, and with it those behind it.
    /// </summary>
    public bool DecideAgain(IncomingCommand command, long letter, DeadLetterRequest request)
    {
        if (command.ForwardTo is not null)
        {
            _forwarded.Add(command); // whoever owns its partition answers
            _deadLetters.Add(DeadLetterFormat.Retried(command.Record!.Message.Key, letter, ForwardedOutcome, request.By, _parked.Now));
            return true;
        }

        CommandOutcome outcome = Answer(command);
        if (outcome is { Kind: OutcomeKind.Faulted, Explanation: { } refusal })
        {
            LastRefusal = refusal.Message!;
            _deadLetters.Add(DeadLetterFormat.Refused(command.Record!.Message.Key, letter, refusal.Code!, refusal.Message!, _parked.Now));
            return false;
        }

        Answer(command, outcome);
        _deadLetters.Add(DeadLetterFormat.Retried(command.Record!.Message.Key, letter, outcome.Kind.ToString(), request.By, _parked.Now));
        return true;
    }

    /// <summary>Discards the letter at <paramref name="letter"/>; whoever waits for its outcome is told.</summary>
    public bool Discard(IncomingCommand command, long letter, DeadLetterRequest request)
    {
        Answer(command, CommandOutcome.Faulted(command.AggregateId.IsDefault ? 0 : VersionOf(command.AggregateId), "discarded",
            $"The command was parked and then discarded by {request.By}: {request.Reason}"));
        _deadLetters.Add(DeadLetterFormat.Discarded(command.Record!.Message.Key, letter, request.By, request.Reason!, _parked.Now));
        return true;
    }

    /// <summary>Adds an answer, and what it leads to.</summary>
    public void Answer(IncomingCommand command, CommandOutcome outcome)
    {
        _answers.Add((command, outcome));
        _bytes += outcome.Explanation?.Bytes ?? 0;
        _effects.Complete(command, outcome);
    }

    /// <summary>The version of an aggregate as the batch leaves it.</summary>
    public long VersionOf(AggregateId id) => DraftOf(id).Version;

    /// <summary>Takes the batch over into the aggregates and the store; its events are in the log now.</summary>
    /// <remarks>
    /// The store gets each kind of record in the order of its keys: a record that stands behind the one before it needs a fraction of the
    /// comparisons.
    /// </remarks>
    public void Apply(long checkpoint)
    {
        _changed.Clear();
        _changed.AddRange(_drafts.Values.Where(d => d.Outcomes.Count > 0));
        _changed.Sort((x, y) => x.Entry.Key.AsSpan().SequenceCompareTo(y.Entry.Key));
        _entries.Clear();
        foreach (AggregateDraft draft in _changed)
        {
            AggregateEntry entry = draft.Entry;
            foreach (RememberedOutcome outcome in draft.Outcomes)
                _store.PutOutcome(entry, outcome);
            entry.Version = draft.Version;
            entry.EventOffset = draft.EventOffset;
            entry.State = draft.State;
            _entries.Add(entry);
        }

        _store.PutStates(CollectionsMarshal.AsSpan(_entries));
        foreach (AggregateEntry entry in _entries)
            StateBytes += entry.StateBytes;
        foreach (AggregateDraft draft in _changed)
        {
            foreach (int i in draft.Events)
            {
                DecidedEvent decided = _events[i];
                _store.PutEvent(draft.Entry.Key, decided.Head, OffsetOf(decided), decided.Value);
            }
        }

        foreach ((AggregateId aggregate, CommandId command, string cause, string message) in _newlyParked)
        {
            if (aggregate.IsDefault)
                _parked.AddUnkeyed(1);
            else
                _parked.Add(aggregate, command, cause, message);
        }

        _effects.Apply();
        _store.Write(checkpoint);
        _aggregates.Trim();
    }

    private long OffsetOf(DecidedEvent decided) => _nextOffset - _events.Count + decided.Index;

    private CommandOutcome Answer(IncomingCommand command)
    {
        if (command.Fault is { } fault)
            return CommandOutcome.Faulted(0, fault.Code, fault.Message);
        if (command.AnswerTo is { } sender && !_effects.Knows(sender.Process))
            return CommandOutcome.Faulted(DraftOf(command.AggregateId).Version, "unknown-process",
                $"The application has no process '{sender.Process}' that could be told the outcome.");

        AggregateDraft draft = DraftOf(command.AggregateId);
        if (FirstOutcome(draft, command) is { } first)
            return first;
        if (!command.Expected.IsMetBy(draft.Version))
            return draft.Remember(command, CommandOutcome.Conflict(draft.Version, command.Expected));

        Decision decision;
        object state = draft.State;
        Reaction[] reactions = [];
        try
        {
            decision = _definition.Decide(draft.State, command.Payload!,
                new CommandContext(command.AggregateId, command.CommandId, command.Time, draft.Version));
            if (_definition.Reacts)
                reactions = new Reaction[decision.Count];
            for (int i = 0; i < decision.Count; i++)
            {
                state = _definition.Evolve(state, decision[i]);
                if (reactions.Length > 0)
                    reactions[i] = _definition.React(state, decision[i]);
            }
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            return CommandOutcome.Faulted(draft.Version, "decide-failed",
                $"{command.Payload!.GetType().Name} could not be decided: {failure.GetType().Name}: {failure.Message}");
        }

        if (decision.Rejection is { } rejection)
            return draft.Remember(command, CommandOutcome.Rejected(draft.Version, rejection.Code, rejection.Message, rejection.Details));

        if (decision.Count > 0 && _states.Problem(state) is { } unstorable)
            return CommandOutcome.Faulted(draft.Version, "state-unencodable",
                $"The state that {decision[^1].GetType().Name} leads to cannot be encoded: {unstorable}");

        int decidedBefore = _events.Count;
        (int, int) sentBefore = _effects.Mark();
        for (int i = 0; i < decision.Count; i++)
        {
            if ((Encode(decision[i], command.AggregateId, out byte[] value)
                ?? (reactions.Length > 0
                    ? _effects.Add(reactions[i], command.AggregateId, draft.Version + i + 1, command)
                    : null)) is { } unusable)
            {
                _effects.Return(sentBefore);
                draft.Events.RemoveRange(draft.Events.Count - i, i);
                _events.RemoveRange(decidedBefore, i);
                return unusable.Code == SubjectErasedException.Code
                    ? draft.Remember(command, CommandOutcome.Rejected(draft.Version, unusable.Code, unusable.Message))
                    : CommandOutcome.Faulted(draft.Version, unusable.Code, unusable.Message);
            }

            draft.Events.Add(_events.Count);
            _events.Add(new DecidedEvent(draft.Entry, decision[i], value, draft.Version + i + 1, command, _events.Count));
        }

        if (decision.Count > 0)
        {
            draft.Version += decision.Count;
            _nextOffset += decision.Count;
            draft.EventOffset = _nextOffset - 1;
        }

        draft.State = state;
        return draft.Remember(command, new CommandOutcome(OutcomeKind.Accepted, draft.Version, draft.EventOffset));
    }

    // The outcome that the id had first; a refusal, when it was that of another command; null, when it had none.
    private CommandOutcome? FirstOutcome(AggregateDraft draft, IncomingCommand command)
    {
        if (!draft.TryGetOutcome(command.CommandId.Value, out RememberedOutcome first)
            && !_store.TryGetOutcome(draft.Entry, command.CommandId.Value, out first))
            return null;
        if (command.Digest.DifferenceFrom(first.Digest) is not { } difference)
            return first.Outcome with { IsDuplicate = true };
        string message = $"The id '{command.CommandId}' was that of another command of the {_definition.Name} '{command.AggregateId}', "
            + $"whose outcome is {first.Outcome.Kind} at version {first.Outcome.Version}; this one differs in its {difference}. "
            + "Nothing was changed. Give a new command a new id, or send the first one again as it was.";
        return new CommandOutcome(
            OutcomeKind.Rejected, draft.Version, Explanation: new Explanation(Rejection.CommandIdReused, message, null,
                new Dictionary<string, string> { ["differs"] = difference }));
    }

    // What cannot be read parks its aggregate; without aggregate it stands alone.
    private CommandOutcome PutAside(IncomingCommand command)
    {
        (string code, string message) = command.Fault!.Value;
        if (!command.AggregateId.IsDefault && FindParked(command.AggregateId) is { } parked)
            return Queue(command, parked, code, message);
        _deadLetters.Add(DeadLetterFormat.Parked(command.Record!, code, message, queued: false, _parked.Now));
        _newlyParked.Add((command.AggregateId, command.CommandId, code, message));
        if (command.AggregateId.IsDefault)
            return CommandOutcome.Faulted(0, code, message);
        _parkedHere.Add(command.AggregateId, (code, message));
        return Parked(command, code, message, _parked.Now, isQueued: true);
    }

    // Null: the aggregate is not parked. An outcome that is known can be told all the same; a command of the direct door is not taken, as
    // its caller is there to be told, but may be waiting already.
    private CommandOutcome? TellOrQueue(IncomingCommand command)
    {
        if (FindParked(command.AggregateId) is not { } parked)
            return null;
        if (FirstOutcome(DraftOf(command.AggregateId), command) is { } first)
            return first;
        return command.Record is null
            ? Parked(command, parked.Cause, parked.Message, parked.Since, isQueued: Waits(command))
            : Queue(command, parked, DeadLetterFormat.Queued, "It waits behind an earlier record of its aggregate.");
    }

    private bool Waits(IncomingCommand command) =>
        (_parked.TryGet(command.AggregateId, out ParkedAggregate? parked) && parked.Commands.Contains(command.CommandId))
            || _newlyParked.Exists(n => n.Aggregate == command.AggregateId && n.Command == command.CommandId);

    private CommandOutcome Queue(IncomingCommand command, (string Cause, string Message, DateTimeOffset Since) parked, string code,
        string message)
    {
        _deadLetters.Add(DeadLetterFormat.Parked(command.Record!, code, message, queued: code == DeadLetterFormat.Queued, _parked.Now));
        _newlyParked.Add((command.AggregateId, command.CommandId, code, message));
        return Parked(command, parked.Cause, parked.Message, parked.Since, isQueued: true);
    }

    private (string Cause, string Message, DateTimeOffset Since)? FindParked(AggregateId id)
    {
        if (_parked.TryGet(id, out ParkedAggregate? parked))
            return (parked.Cause, parked.Message, parked.Since);
        return _parkedHere.TryGetValue(id, out (string Cause, string Message) here) ? (here.Cause, here.Message, _parked.Now) : null;
    }

    private CommandOutcome Parked(IncomingCommand command, string code, string message, DateTimeOffset since, bool isQueued)
    {
        var details = new Dictionary<string, string> { [CommandReplies.Queued] = isQueued.ToString() };
        return new CommandOutcome(
            OutcomeKind.Parked, DraftOf(command.AggregateId).Version,
            Explanation: Explanation.Bounded(code, _parked.Told(command.AggregateId, message, since, isQueued), details));
    }

    // What cannot be stored is refused here, with a reason, before anything of its batch is on its way.
    private (string Code, string Message)? Encode(object payload, AggregateId id, out byte[] value)
    {
        value = [];
        _buffer.Clear();
        try
        {
            _encoder.Encode((IAvroRecord)payload, id.Value, _buffer);
        }
        catch (SubjectErasedException erased)
        {
            return (SubjectErasedException.Code, erased.Message);
        }
        catch (Exception unencodable) when (unencodable is not (OutOfMemoryException or OperationCanceledException or MasterKeyException))
        {
            return ("event-unencodable",
                $"The event {payload.GetType().Name} that the decision made cannot be encoded: {unencodable.Message}");
        }

        if (_buffer.WrittenCount > _maxEventBytes)
            return ("event-too-large",
                $"The event {payload.GetType().Name} that the decision made has {_buffer.WrittenCount:N0} bytes; at "
                    + $"most {_maxEventBytes:N0} are allowed.");
        value = _buffer.WrittenSpan.ToArray();
        _buffer.Clear();
        _bytes += value.Length;
        return null;
    }

    private AggregateDraft DraftOf(AggregateId id)
    {
        if (!_drafts.TryGetValue(id, out AggregateDraft? draft))
        {
            _drafts.Add(id, draft = new AggregateDraft(_aggregates.Get(id)));
            _bytes += draft.Entry.StateMemory;
        }

        return draft;
    }
}
