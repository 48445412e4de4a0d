namespace KafkaEventSourcing.Testing.Tests.Simulation;

/// <summary>
/// A partition task, one step at a time, so that anything can happen between two steps: fence, restore, take a batch, decide it, write it,
/// commit it, apply it and answer. The correct one is what src/Processing does; each <see cref="Mutation"/> breaks one step.
/// </summary>
internal sealed class SimulatedOwner(SimulatedBroker broker, SimulatedStore store, Mutation mutation, Random random,
    Action<SimulatedReply> reply)
{
    private const int MaxTaken = 5;

    private readonly List<SimulatedSending> _direct = [];
    private readonly List<SimulatedSending> _reads = [];
    private readonly List<SimulatedSending> _batch = [];
    private readonly List<(SimulatedSending Sending, CommandResult Result)> _answers = [];
    private readonly List<RecordedEvent> _events = [];
    private readonly Dictionary<AggregateId, SimulatedStore.Aggregate> _drafts = [];
    private int _epoch = -1;
    private long _input;
    private Phase _phase = mutation == Mutation.ReplayBeforeFencing ? Phase.Restoring : Phase.Fencing;

    private enum Phase
    {
        Fencing,
        Restoring,
        Serving,
        Deciding,
        Writing,
        Committing,
        Applying,
        Dead,
    }

    public bool Paused { get; set; }

    public bool IsDead => _phase == Phase.Dead;

    public bool Serves => _phase is not (Phase.Fencing or Phase.Restoring or Phase.Dead);

    /// <summary>The store as it was persisted last; consistent, maybe old.</summary>
    public SimulatedStore Persisted { get; private set; } = store.Copy();

    public void Take(SimulatedSending sending) => (sending.Command is null ? _reads : _direct).Add(sending);

    public void Crash() => _phase = Phase.Dead;

    public void Step()
    {
        Action step = _phase switch
        {
            Phase.Fencing => Fence,
            Phase.Restoring => Restore,
            Phase.Serving => TakeBatch,
            Phase.Deciding => Decide,
            Phase.Writing => Write,
            Phase.Committing => Commit,
            Phase.Applying => Apply,
            _ => () => { },
        };
        if (_reads.Count > 0 && Serves && _phase != Phase.Applying && random.Next(2) == 0)
            step = Read; // a read waits while a commit is not applied
        step();
    }

    private void Fence()
    {
        _epoch = broker.InitTransactions();
        _input = broker.CommittedInput;
        _phase = mutation == Mutation.ReplayBeforeFencing ? Phase.Serving : Phase.Restoring;
    }

    private void Restore()
    {
        if (mutation == Mutation.DedupeLostAtRestore)
            store.ForgetOutcomes();
        store.Replay(broker, remember: mutation != Mutation.DedupeLostAtRestore, again: mutation == Mutation.SnapshotsFoldedAgain);
        _phase = mutation == Mutation.ReplayBeforeFencing ? Phase.Fencing : Phase.Serving;
    }

    private void TakeBatch()
    {
        if (mutation == Mutation.OffsetNotInTransaction && random.Next(60) == 0)
            broker.CommittedInput = _input;
        if (random.Next(10) == 0)
            Persisted = store.Copy();
        int taken = (int)Math.Min(random.Next(2) * random.Next(1, MaxTaken + 1), broker.Commands.Count - _input);
        _batch.AddRange(broker.Commands.Skip((int)_input).Take(taken));
        _input += taken;
        int direct = Math.Min(_direct.Count, random.Next(1, MaxTaken + 1));
        _batch.AddRange(_direct.Take(direct));
        _direct.RemoveRange(0, direct);
        if (_batch.Count > 0)
            _phase = Phase.Deciding;
    }

    private void Decide()
    {
        _answers.Clear();
        _events.Clear();
        if (mutation != Mutation.VersionGap)
            _drafts.Clear();
        else
            foreach (AggregateId id in _drafts.Keys.ToArray())
                _drafts[id] = store[id] with { Version = _drafts[id].Version };
        foreach (SimulatedSending sending in _batch)
            _answers.Add((sending, Answer(sending.Command!)));
        _phase = Phase.Writing;
    }

    private CommandResult Answer(CommandEnvelope command)
    {
        AggregateId id = command.AggregateId;
        SimulatedStore.Aggregate draft = _drafts.TryGetValue(id, out SimulatedStore.Aggregate? present) ? present : store[id];
        if ((mutation == Mutation.DedupeAgainstCommittedOnly ? store[id] : draft).OutcomeOf(command.CommandId) is { } first)
            return first with { IsDuplicate = true };
        long expectedAgainst = mutation == Mutation.ExpectedAgainstCommittedOnly ? store[id].Version : draft.Version;
        Decision decision = Tally.Definition.Decide(draft.State, command.Payload,
            new CommandContext(id, command.CommandId, command.Time!.Value, draft.Version));
        CommandResult result;
        if (!command.ExpectedVersion.IsMetBy(expectedAgainst))
        {
            result = new CommandResult.Conflict(command.CommandId, id, draft.Version, command.ExpectedVersion);
        }
        else if (decision.Rejection is { } rejection)
        {
            result = new CommandResult.Rejected(command.CommandId, id, draft.Version, rejection);
        }
        else
        {
            foreach (object payload in decision.Events)
            {
                draft = draft with
                {
                    Version = draft.Version + 1,
                    EventOffset = broker.EndOffset + _events.Count,
                    State = Tally.Definition.Evolve(draft.State, payload),
                };
                _events.Add(new RecordedEvent
                {
                    AggregateId = id,
                    Version = draft.Version,
                    Payload = payload,
                    Partition = 0,
                    Offset = draft.EventOffset,
                    Time = command.Time.Value,
                    CommandId = command.CommandId,
                });
            }

            result = new CommandResult.Accepted(command.CommandId, id, draft.Version, draft.Token);
        }

        _drafts[id] = draft.Remember(result);
        return result;
    }

    private void Write()
    {
        bool twice = mutation == Mutation.EventWrittenTwice && random.Next(20) == 0;
        foreach (RecordedEvent recorded in _events)
        {
            if (!broker.Append(_epoch, recorded) || (twice && !broker.Append(_epoch, recorded)))
            {
                GiveUp();
                return;
            }
        }

        if (mutation == Mutation.StoreBeforeCommit)
            ApplyDrafts();
        if (mutation == Mutation.ReplyBeforeCommit)
            AnswerCallers(direct: true);
        if (random.Next(8) == 0)
        {
            broker.Abort(_epoch); // a fault that asks for an abort: the batch is decided again
            _phase = Phase.Deciding;
            return;
        }

        _phase = Phase.Committing;
    }

    private void Commit()
    {
        bool nothing = _events.Count == 0 && _batch.TrueForAll(s => s.Direct);
        if (!(mutation == Mutation.ZombieRefusal && nothing)
            && !broker.Commit(_epoch, mutation == Mutation.OffsetNotInTransaction ? -1 : _input))
        {
            GiveUp();
            return;
        }

        AnswerCallers(direct: false); // these replies are records of the transaction
        _phase = Phase.Applying;
    }

    private void Apply()
    {
        if (mutation != Mutation.StoreBeforeCommit)
            ApplyDrafts();
        store.Checkpoint = broker.Epoch == _epoch ? broker.EndOffset : store.Checkpoint;
        if (mutation != Mutation.ReplyBeforeCommit)
            AnswerCallers(direct: true);
        _batch.Clear();
        _drafts.Clear();
        _phase = Phase.Serving;
    }

    private void ApplyDrafts()
    {
        foreach ((AggregateId id, SimulatedStore.Aggregate draft) in _drafts)
            store.Put(id, draft);
    }

    private void AnswerCallers(bool direct)
    {
        foreach ((SimulatedSending sending, CommandResult result) in _answers)
        {
            if (sending.Direct != direct)
                continue;
            CommandResult told = mutation == Mutation.WrongVersionAnswered
                && result is CommandResult.Accepted { IsDuplicate: false } accepted
                ? new CommandResult.Accepted(accepted.CommandId, accepted.AggregateId, _drafts[accepted.AggregateId].Version,
                    accepted.Token)
                : result;
            reply(new SimulatedReply(sending, told, null, Unavailable: false));
        }
    }

    private void Read()
    {
        SimulatedSending read = _reads[0];
        _reads.RemoveAt(0);
        if (mutation != Mutation.ZombieRead && broker.Epoch != _epoch)
        {
            reply(new SimulatedReply(read, null, null, Unavailable: true));
            GiveUp();
            return;
        }

        SimulatedStore.Aggregate aggregate = store[read.AggregateId];
        reply(new SimulatedReply(read, null, aggregate.Version == 0
            ? null
            : new AggregateView(read.AggregateId, aggregate.Version, aggregate.State, aggregate.Token), Unavailable: false));
    }

    // Deposed: callers at the direct door learn that their outcome is not known here.
    private void GiveUp()
    {
        foreach (SimulatedSending sending in _batch.Where(s => s.Direct).Concat(_direct).Concat(_reads))
            reply(new SimulatedReply(sending, null, null, Unavailable: true));
        _phase = Phase.Dead;
    }
}
