namespace KafkaEventSourcing.Testing;

/// <summary>The calls to one aggregate against its events. For one check.</summary>
internal sealed class AggregateHistory
{
    private readonly AggregateId _id;
    private readonly AggregateDefinition _definition;
    private readonly HistoryCheckerOptions _options;
    private readonly IReadOnlyList<RecordedEvent> _events;
    private readonly IReadOnlyList<RecordedCall> _calls;
    private readonly Dictionary<CommandId, Effect> _effects = [];
    private readonly List<Operation> _operations = [];
    private readonly List<Finding> _findings = [];
    private readonly List<object> _states = []; // by version
    private readonly List<int> _writesAt = []; // how many writes led to a version; -1: it is inside one
    private readonly List<RecordedEvent?> _byVersion = []; // null: of an event that is passed over

    public AggregateHistory(AggregateId id, AggregateDefinition definition, HistoryCheckerOptions options,
        IReadOnlyList<RecordedEvent> events, IReadOnlyList<RecordedCall> calls)
    {
        (_id, _definition, _options, _events, _calls) = (id, definition, options, events, calls);
        Add(definition.InitialState, 0, null);
    }

    /// <summary>The aggregate at the end; null: its events give none.</summary>
    public FinalState? Final { get; private set; }

    /// <summary>The first violation in time; null: there is none.</summary>
    public Finding? Check()
    {
        if (!FoldEvents())
            return _findings[0];
        if (_events.Count > 0)
            Final = new FinalState(_id, LastVersion, _states[^1], _events);

        foreach (IGrouping<CommandId, RecordedCall> sendings in _calls.Where(c => c.Command is not null).GroupBy(c => c.Command!.CommandId))
            CheckCommand(new Sendings(sendings));
        foreach (RecordedCall call in _calls)
        {
            if (call.Answer is CallAnswer.Seen seen)
                CheckRead(call, seen);
        }

        CheckOrder();
        return _findings.MinBy(f => f.Moment);
    }

    private long LastVersion => _states.Count - 1;

    private bool FoldEvents()
    {
        RecordedEvent? before = null;
        int writes = 0;
        foreach (RecordedEvent recorded in _events)
        {
            if (recorded.Part > 0 && before is not null && (recorded.Version, recorded.Offset) == (before.Version, before.Offset))
            {
                _states[^1] = _definition.Evolve(_states[^1], recorded.Payload); // what one event is upcast to has one version
                continue;
            }

            if (recorded.Version != LastVersion + 1 && !MayBePassedOver(recorded, before))
                return Broken(HistoryRule.GaplessVersions, recorded,
                    $"the event at {recorded.Partition}@{recorded.Offset} has version {recorded.Version}; {LastVersion + 1} was due");
            if (before is not null && (recorded.Partition != before.Partition || recorded.Offset <= before.Offset))
                return Broken(HistoryRule.GaplessVersions, recorded,
                    $"the event at {recorded.Partition}@{recorded.Offset} does not stand behind version {before.Version} "
                        + $"at {before.Partition}@{before.Offset}");
            bool continues = before is not null && before.CommandId == recorded.CommandId;
            while (LastVersion + 1 < recorded.Version)
                Add(_states[^1], continues ? writes : ++writes, null);
            if (!continues && !_effects.TryAdd(recorded.CommandId, new Effect(++writes, recorded.Version)))
                return Broken(HistoryRule.OneEffect, recorded,
                    $"the command {recorded.CommandId} took effect at version {_effects[recorded.CommandId].Last} and again at "
                        + $"version {recorded.Version}");
            Effect effect = _effects[recorded.CommandId];
            for (long inside = effect.Last; continues && inside < recorded.Version; inside++)
                _writesAt[(int)inside] = -1;
            effect.Last = recorded.Version;
            Add(_definition.Evolve(_states[^1], recorded.Payload), effect.Number, recorded);
            before = recorded;
        }

        return true;
    }

    private void Add(object state, int writes, RecordedEvent? recorded)
    {
        _states.Add(state);
        _writesAt.Add(writes);
        _byVersion.Add(recorded);
    }

    // Old events may be read as none; each of them has an offset.
    private bool MayBePassedOver(RecordedEvent recorded, RecordedEvent? before) =>
        (_definition.IgnoredTypes.Count > 0 || _definition.UpcastTypes.Count > 0)
            && recorded.Version > LastVersion + 1
            && recorded.Version - (LastVersion + 1) < recorded.Offset - (before?.Offset ?? -1);

    private bool Broken(HistoryRule rule, RecordedEvent recorded, string message)
    {
        RecordedCall[] causes = [.. _calls.Where(c => c.Command?.CommandId == recorded.CommandId)];
        _findings.Add(new Finding(rule, causes.Length == 0 ? long.MinValue : causes.Min(c => c.Started), message, causes,
            recorded.Version));
        return false;
    }

    private void CheckCommand(Sendings sendings)
    {
        if (!_effects.TryGetValue(sendings.Id, out Effect? effect))
        {
            CheckRefusals(sendings, sendings.Answers);
            return;
        }

        if (!sendings.MayHaveEffect)
        {
            Find(HistoryRule.RefusedWithoutEffect, sendings.All[0],
                $"the command {sendings.Id} was not taken or faulted at each sending, and is in the log as version {effect.Last}",
                effect.Last);
            return;
        }

        var refusals = new List<(RecordedCall Call, CallAnswer.Told Told)>();
        long ended = long.MaxValue;
        RecordedCall teller = sendings.Taken[0];
        foreach ((RecordedCall call, CallAnswer.Told told) in sendings.Answers)
        {
            CommandResult result = told.Result;
            if (!_options.RefusalsAreRemembered && result.Version < effect.First)
            {
                refusals.Add((call, told));
                continue;
            }

            if (result is not CommandResult.Accepted accepted)
                Find(HistoryRule.RefusedWithoutEffect, call,
                    $"the command {sendings.Id} was refused, and is in the log as version {effect.Last}", effect.Last);
            else if (accepted.Version != effect.Last || accepted.Token != TokenOf(effect.Last))
                Find(HistoryRule.AnswerAsLogged, call,
                    $"the command {sendings.Id} was told version {accepted.Version} at {accepted.Token}; it is in the log as "
                        + $"version {effect.Last} at {TokenOf(effect.Last)}", effect.Last, accepted.Version);
            if (told.Ended < ended)
                (ended, teller) = (told.Ended, call);
        }

        CheckRefusals(sendings, refusals);
        CheckEffect(sendings, effect, teller);
        _operations.Add(new Operation(2L * effect.Number, sendings.Started, ended, effect.Last, teller));
    }

    private void CheckEffect(Sendings sendings, Effect effect, RecordedCall teller)
    {
        long before = effect.First - 1;
        RecordedCall[] expecting = [.. sendings.Taken.Where(c => c.Command!.ExpectedVersion.IsMetBy(before))];
        if (expecting.Length == 0)
            Find(HistoryRule.ExpectedVersion, teller,
                $"the command {sendings.Id} took effect on version {before}; it expected {teller.Command!.ExpectedVersion}",
                effect.Last, before);
        else if (!expecting.Any(c => Decides(c.Command!, effect)))
            Find(HistoryRule.Decision, teller,
                $"the events of the command {sendings.Id}, versions {effect.First} to {effect.Last}, are not what it decides on "
                    + $"version {before}", effect.Last, before);
    }

    // Answers that left no event: each is right at the version that it tells.
    private void CheckRefusals(Sendings sendings, List<(RecordedCall Call, CallAnswer.Told Told)> refusals)
    {
        if (refusals.Count == 0)
            return;
        (RecordedCall firstCall, CallAnswer.Told first) = refusals.MinBy(r => r.Told.Ended);
        foreach ((RecordedCall call, CallAnswer.Told told) in refusals)
        {
            if (_options.RefusalsAreRemembered && !SameOutcome(first.Result, told.Result))
            {
                _findings.Add(new Finding(HistoryRule.OneOutcome, told.Ended,
                    $"the command {sendings.Id} was answered twice, and not the same", [firstCall, call], first.Result.Version,
                    told.Result.Version));
                return;
            }

            if (!IsLegal(sendings, call, told.Result))
                return;
            if (!_options.RefusalsAreRemembered)
                _operations.Add(new Operation(PlaceOf(told.Result.Version), sendings.Started, told.Ended, told.Result.Version, call));
        }

        if (_options.RefusalsAreRemembered)
            _operations.Add(new Operation(PlaceOf(first.Result.Version), sendings.Started, first.Ended, first.Result.Version, firstCall));
    }

    private bool IsLegal(Sendings sendings, RecordedCall call, CommandResult result)
    {
        long version = result.Version;
        if (!WasCurrent(version))
        {
            return Find(HistoryRule.AnswerAsLogged, call, result is CommandResult.Accepted
                ? $"the command {sendings.Id} was accepted as version {version}, and there is no event of it in the log"
                : $"the command {sendings.Id} was refused at version {version}, which was never the current one", version);
        }

        if (result is CommandResult.Conflict conflict)
        {
            return (sendings.Taken.Any(c => c.Command!.ExpectedVersion == conflict.Expected) && !conflict.Expected.IsMetBy(version))
                || Find(HistoryRule.ExpectedVersion, call,
                    $"the command {sendings.Id} was told a conflict of {conflict.Expected} with version {version}", version);
        }

        RecordedCall[] expecting = [.. sendings.Taken.Where(c => c.Command!.ExpectedVersion.IsMetBy(version))];
        if (expecting.Length == 0)
            return Find(HistoryRule.ExpectedVersion, call,
                $"the command {sendings.Id} was decided on version {version}; it expected {call.Command!.ExpectedVersion}", version);
        Decision[] decisions = [.. expecting.Select(c => Decide(c.Command!, version, c.Command!.Time ?? default)).OfType<Decision>()];
        if (result is CommandResult.Rejected rejected)
        {
            return decisions.Any(d => d.Rejection?.Code == rejected.Rejection.Code)
                || Find(HistoryRule.Decision, call,
                    $"the command {sendings.Id} was rejected with '{rejected.Rejection.Code}'; it is not on the state of version {version}",
                    version);
        }

        if (!decisions.Any(d => !d.IsRejected && d.Count == 0))
            return Find(HistoryRule.AnswerAsLogged, call,
                $"the command {sendings.Id} was accepted as version {version}, and there is no event of it in the log", version);
        return ((CommandResult.Accepted)result).Token == TokenOf(version)
            || Find(HistoryRule.AnswerAsLogged, call,
                $"the command {sendings.Id} changed nothing at version {version} and was told {((CommandResult.Accepted)result).Token}; "
                    + $"that version stands at {TokenOf(version)}", version);
    }

    private void CheckRead(RecordedCall call, CallAnswer.Seen seen)
    {
        long version = seen.View?.Version ?? 0;
        string read = Timeline.NameOf(call.Consistency);
        if (!WasCurrent(version) || (seen.View is not null && version == 0))
        {
            Find(HistoryRule.AnswerAsLogged, call,
                $"{read} shows version {version}, which was never the current one; the log ends with version {LastVersion}", version);
            return;
        }

        if (seen.View is { } view)
        {
            if (view.Token != TokenOf(version) && _byVersion[(int)version] is not null)
                Find(HistoryRule.AnswerAsLogged, call,
                    $"{read} shows version {version} at {view.Token}; it stands at {TokenOf(version)}", version);
            if (!_states[(int)version].Equals(view.State))
                Find(HistoryRule.StateIsFold, call,
                    $"{read} shows version {version} as {view.State}; its events give {_states[(int)version]}", version);
        }

        // An eventual read may show the past: it says only that this much had been written before it ended.
        _operations.Add(new Operation(PlaceOf(version), call.Consistency == ReadConsistency.Strong ? call.Started : long.MinValue,
            seen.Ended, version, call));
    }

    private void CheckOrder()
    {
        if (Operation.FindContradiction(_operations) is not var (earlier, later))
            return;
        string did = later.Place % 2 == 0 ? "wrote" : "saw";
        _findings.Add(new Finding(HistoryRule.RealTimeOrder, Math.Min(later.Ended, later.Call.Answer?.Ended ?? later.Ended),
            $"a call that {(earlier.Place % 2 == 0 ? "wrote" : "saw")} version {earlier.Version} had returned before one began that {did} "
                + $"version {later.Version}", [earlier.Call, later.Call], earlier.Version, later.Version));
    }

    private bool Decides(CommandEnvelope command, Effect effect)
    {
        if (Decide(command, effect.First - 1, _byVersion[(int)effect.First]!.Time) is not { IsRejected: false } decision
            || decision.Count != effect.Last - effect.First + 1)
            return false;
        for (int i = 0; i < decision.Count; i++)
        {
            if (!decision[i].Equals(_byVersion[(int)effect.First + i]?.Payload))
                return false;
        }

        return true;
    }

    // Null: the domain's code throws, which is never an accepted or rejected command.
    private Decision? Decide(CommandEnvelope command, long version, DateTimeOffset time)
    {
        try
        {
            return _definition.Decide(_states[(int)version], command.Payload, new CommandContext(_id, command.CommandId, time, version));
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            return null;
        }
    }

    private bool WasCurrent(long version) => version >= 0 && version <= LastVersion && _writesAt[(int)version] >= 0;

    private long PlaceOf(long version) => (2L * _writesAt[(int)version]) + 1;

    private ConsistencyToken TokenOf(long version) =>
        _byVersion[(int)version] is { } recorded ? new ConsistencyToken(recorded.Partition, recorded.Offset) : default;

    private bool Find(HistoryRule rule, RecordedCall call, string message, params IReadOnlyList<long> versions)
    {
        _findings.Add(new Finding(rule, call.Answer?.Ended ?? call.Started, message, [call], versions));
        return false;
    }

    private static bool SameOutcome(CommandResult one, CommandResult other) => (one, other) switch
    {
        (CommandResult.Accepted a, CommandResult.Accepted b) => (a.Version, a.Token) == (b.Version, b.Token),
        (CommandResult.Rejected a, CommandResult.Rejected b) => a.Version == b.Version && a.Rejection.Equals(b.Rejection),
        (CommandResult.Conflict a, CommandResult.Conflict b) => (a.Version, a.Expected) == (b.Version, b.Expected),
        _ => false,
    };

    /// <summary>What one command wrote: the <paramref name="number"/>-th write, from version <paramref name="first"/> on.</summary>
    private sealed class Effect(int number, long first)
    {
        public int Number => number;

        public long First => first;

        public long Last { get; set; }
    }

    /// <summary>All sendings of one command id.</summary>
    private sealed class Sendings
    {
        public Sendings(IGrouping<CommandId, RecordedCall> calls)
        {
            Id = calls.Key;
            All = [.. calls];
            Taken = All.FindAll(c => c.Answer is not CallAnswer.NotTaken);
            foreach (RecordedCall call in Taken)
            {
                // A fault is not remembered: the same id may be decided later.
                if (call.Answer is CallAnswer.Told { Result: not CommandResult.Faulted } told)
                    Answers.Add((call, told));
            }
        }

        public CommandId Id { get; }

        public List<RecordedCall> All { get; }

        public List<RecordedCall> Taken { get; }

        public List<(RecordedCall Call, CallAnswer.Told Told)> Answers { get; } = [];

        public bool MayHaveEffect => Taken.Any(c => c.Answer is not CallAnswer.Told { Result: CommandResult.Faulted });

        public long Started => Taken.Min(c => c.Started);
    }
}
