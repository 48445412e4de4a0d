using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Processing;

/// <summary>An event that a batch decided, and where it will stand.</summary>
internal readonly record struct DecidedEvent(AggregateEntry Aggregate, object Payload, byte[] Value, long Version, IncomingCommand Cause, int Index);

/// <summary>
/// Decides the commands of one batch against the store and what the batch has decided already. It has no effect until <see cref="Apply"/>: an aborted batch is simply dropped and
/// decided again.
/// </summary>
internal sealed class BatchDecider
{
    private readonly AggregateDefinition _definition;
    private readonly AggregateCache _aggregates;
    private readonly StateStore _store;
    private readonly TopicEncoder _encoder;
    private readonly int _maxEventBytes;
    private readonly int _partition;
    private readonly ArrayBufferWriter<byte> _buffer = new(4096);
    private readonly Dictionary<AggregateId, Draft> _drafts = [];
    private readonly List<DecidedEvent> _events = [];
    private readonly List<(IncomingCommand Command, CommandReply Reply)> _replies = [];
    private readonly List<Draft> _changed = [];
    private readonly List<AggregateEntry> _entries = [];
    private long _nextOffset;

    public BatchDecider(AggregateDefinition definition, int partition, StateStore store, AggregateCache aggregates, TopicEncoder encoder, int maxEventBytes) =>
        (_definition, _partition, _store, _aggregates, _encoder, _maxEventBytes) = (definition, partition, store, aggregates, encoder, maxEventBytes);

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

    /// <summary>Takes the batch over into the aggregates and the store; its events stand in the log now.</summary>
    /// <remarks>The store gets each kind of record in the order of its keys: a record that stands behind the one before it needs a fraction of the comparisons.</remarks>
    public void Apply(long checkpoint)
    {
        _changed.Clear();
        _changed.AddRange(_drafts.Values.Where(d => d.Outcomes.Count > 0));
        _changed.Sort((x, y) => x.Entry.Key.AsSpan().SequenceCompareTo(y.Entry.Key));
        _entries.Clear();
        foreach (Draft draft in _changed)
        {
            AggregateEntry entry = draft.Entry;
            foreach (CommandReply outcome in draft.Outcomes)
                _store.PutOutcome(entry, outcome);
            entry.Version = draft.Version;
            entry.EventOffset = draft.EventOffset;
            entry.State = draft.State;
            _entries.Add(entry);
        }

        _store.PutStates(CollectionsMarshal.AsSpan(_entries));
        foreach (Draft draft in _changed)
        {
            foreach (int i in draft.Events)
                _store.PutIndex(draft.Entry.Key, _events[i].Version, OffsetOf(_events[i]));
        }

        _store.Write(checkpoint);
        _aggregates.Trim();
    }

    private long OffsetOf(DecidedEvent decided) => _nextOffset - _events.Count + decided.Index;

    private CommandReply Answer(IncomingCommand command)
    {
        if (command.Fault is { } fault)
            return Faulted(command, 0, fault.Code, fault.Message);

        Draft draft = DraftOf(command.AggregateId);
        if (draft.TryGetOutcome(command.CommandId.Value, out CommandReply? first) || _store.TryGetOutcome(draft.Entry, command.CommandId.Value, _partition, out first))
            return first with { Duplicate = true };
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
            return draft.Remember(RefusalText.Bounded(Reply(command, ReplyOutcome.Rejected, draft.Version) with { Code = rejection.Code, Message = rejection.Message, Details = rejection.Details }));

        int decidedBefore = _events.Count;
        for (int i = 0; i < decision.Count; i++)
        {
            if (Encode(decision[i], out byte[] value) is { } unusable)
            {
                draft.Events.RemoveRange(draft.Events.Count - i, i);
                _events.RemoveRange(decidedBefore, i);
                return Faulted(command, draft.Version, unusable.Code, unusable.Message);
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
        return draft.Remember(new CommandReply
        {
            CommandId = command.CommandId.Value,
            AggregateId = command.AggregateId.Value,
            Outcome = ReplyOutcome.Accepted,
            Version = draft.Version,
            EventPartition = draft.EventOffset < 0 ? -1 : _partition,
            EventOffset = draft.EventOffset,
        });
    }

    // What cannot be stored is refused here, with a reason, before anything of its batch is on its way.
    private (string Code, string Message)? Encode(object payload, out byte[] value)
    {
        value = [];
        _buffer.ResetWrittenCount();
        try
        {
            _encoder.Encode((IAvroRecord)payload, _buffer);
        }
        catch (Exception unencodable) when (unencodable is not OutOfMemoryException)
        {
            return ("event-unencodable", $"The event {payload.GetType().Name} that the decision made cannot be encoded: {unencodable.Message}");
        }

        if (_buffer.WrittenCount > _maxEventBytes)
            return ("event-too-large", $"The event {payload.GetType().Name} that the decision made has {_buffer.WrittenCount:N0} bytes; at most {_maxEventBytes:N0} are allowed.");
        value = _buffer.WrittenSpan.ToArray();
        return null;
    }

    private static CommandReply Reply(IncomingCommand command, ReplyOutcome outcome, long version) => new()
    {
        CommandId = command.CommandId.Value,
        AggregateId = command.AggregateId.IsDefault ? command.KeyText : command.AggregateId.Value,
        Outcome = outcome,
        Version = version,
    };

    private static CommandReply Faulted(IncomingCommand command, long version, string code, string message) =>
        RefusalText.Bounded(Reply(command, ReplyOutcome.Faulted, version) with { Code = code, Message = message });

    private Draft DraftOf(AggregateId id)
    {
        if (!_drafts.TryGetValue(id, out Draft? draft))
            _drafts.Add(id, draft = new Draft(_aggregates.Get(id)));
        return draft;
    }

    /// <summary>An aggregate as this batch leaves it.</summary>
    private sealed class Draft(AggregateEntry entry)
    {
        private const int FewOutcomes = 8;

        private Dictionary<string, CommandReply>? _byId;
        private int _indexed;

        public AggregateEntry Entry => entry;

        public long Version { get; set; } = entry.Version;

        public long EventOffset { get; set; } = entry.EventOffset;

        public object State { get; set; } = entry.State;

        /// <summary>Which events of the batch are the aggregate's.</summary>
        public List<int> Events { get; } = [];

        public List<CommandReply> Outcomes { get; } = [];

        public CommandReply Remember(CommandReply outcome)
        {
            Outcomes.Add(outcome);
            return outcome;
        }

        public bool TryGetOutcome(string commandId, [NotNullWhen(true)] out CommandReply? outcome)
        {
            if (Outcomes.Count > FewOutcomes)
                return IndexedOutcomes().TryGetValue(commandId, out outcome);
            outcome = Outcomes.Find(o => o.CommandId == commandId);
            return outcome is not null;
        }

        private Dictionary<string, CommandReply> IndexedOutcomes()
        {
            _byId ??= [];
            for (; _indexed < Outcomes.Count; _indexed++)
                _byId.Add(Outcomes[_indexed].CommandId, Outcomes[_indexed]);
            return _byId;
        }
    }
}
