using System.Globalization;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Parks what cannot be folded, and does what an operator asks of dead letters: each request is a batch of its own, in the order of the
/// commands. Owned by the partition task's thread.
/// </summary>
internal sealed partial class DeadLetterResolver
{
    private const string NotParked = "not-parked";
    private const string StillParked = "still-parked";
    private const string InvalidRequest = "invalid-request";
    private const string EventIsHistory = "event-is-history";
    private const string Folded = "Folded";

    private readonly PartitionContext _context;
    private readonly int _partition;
    private readonly string _events;
    private readonly SchemaRegistryRetry _registry;
    private readonly PartitionTransactions _transactions;
    private readonly ParkedAggregates _parked;
    private readonly Func<ConsumeResult<byte[], byte[]>, IncomingCommand> _read;
    private readonly ILogger _logger;
    private readonly CancellationToken _stop;
    private StateStore _store = null!;
    private AggregateCache _aggregates = null!;
    private BatchDecider _decider = null!;
    private BatchCommitter _committer = null!;

    /// <summary>Resolves the letters of <paramref name="partition"/>; <paramref name="read"/> reads commands.</summary>
    public DeadLetterResolver(
        PartitionContext context, int partition, SchemaRegistryRetry registry, PartitionTransactions transactions, ParkedAggregates parked,
        Func<ConsumeResult<byte[], byte[]>, IncomingCommand> read, CancellationToken stop)
    {
        (_context, _partition, _registry, _transactions, _parked, _read, _stop) = (context, partition, registry, transactions, parked,
            read, stop);
        (_events, _logger) = (context.Topics.Events, context.Logger);
    }

    private DeadLetterReader Letters => new(_context.Connection, _context.Topics.DeadLetters);

    /// <summary>Reads what is parked.</summary>
    public void Load()
    {
        _parked.Load(Letters, Foreign, _stop);
        if (_parked.Records > 0)
            LogParked(_partition, _parked.Count, _parked.Records);
    }

    /// <summary>From now on letters can be processed again.</summary>
    public void Begin(StateStore store, AggregateCache aggregates, BatchDecider decider, BatchCommitter committer) =>
        (_store, _aggregates, _decider, _committer) = (store, aggregates, decider, committer);

    /// <summary>Parks an event that cannot be folded.</summary>
    /// <remarks>
    /// The letter is committed before the store's checkpoint passes the event: a crash in between finds either both or the event.
    /// </remarks>
    public void Park(ConsumeResult<byte[], byte[]> record, string cause, string message)
    {
        LogEventParked(_partition, record.Offset.Value, message);
        _transactions.Writer.Begin();
        _transactions.Writer.WriteDeadLetter(DeadLetterFormat.Parked(record, cause, message, queued: false, _context.Time.GetUtcNow()));
        _transactions.Commit();
        AggregateId id = DeadLetterFormat.AggregateOf(record.Message.Key);
        if (id.IsDefault)
            _parked.AddUnkeyedEvent(record.Offset.Value);
        else
            _parked.Break(id, record.Offset.Value, cause, message);
    }

    /// <summary>Does what <paramref name="command"/> asks, and answers it; <paramref name="input"/> is the offset behind it.</summary>
    public void Resolve(IncomingCommand command, long input)
    {
        if (command.Fault is { } fault)
        {
            Refuse(command, input, fault.Code, fault.Message);
            return;
        }

        DeadLetterRequest request = command.Request!;
        IReadOnlyList<DeadLetter> letters = LettersOf(command.AggregateId, request.Offset);
        // an unkeyed record is nobody's event
        DeadLetter[] events = command.AggregateId.IsDefault ? [] : [.. letters.Where(l => l.OriginTopic == _events)];
        if (letters.Count == 0)
            Refuse(command, input, NotParked, command.AggregateId.IsDefault
                ? "There is no such dead letter."
                : $"The {_context.Definition.Name} "
                    + $"'{command.AggregateId}' has no such dead letter: it was settled already, or never parked.");
        else if (!request.IsDiscard && command.AggregateId.IsDefault)
            Refuse(command, input, InvalidRequest,
                "A record whose key is not an aggregate id cannot be processed again: it can only be discarded.");
        else if (!request.IsDiscard && request.Offset is not null)
            Refuse(command, input, InvalidRequest,
                "Letters are processed again aggregate by aggregate, in order: name the aggregate, not a letter.");
        else if (request.IsDiscard && Letters.Fetch(events, _stop).Any(l => Repair().CanRead(DeadLetterFormat.OriginalOf(l), _stop)))
            Refuse(command, input, EventIsHistory,
                "The event can be read: it is what has happened, and cannot be discarded. Deploy code that can fold it, then retry.");
        else if (events.Length > 0 && !ResolveEvents(command.AggregateId, events, request))
            Refuse(command, input, StillParked,
                $"The {_context.Definition.Name} '{command.AggregateId}' is parked "
                    + $"still: {_parked.LettersOf(command.AggregateId, Letters, Foreign, _stop)[0].Message}");
        else
            Resolve(command, request, events.Length, [.. letters.Except(events)], input);

        if (!command.AggregateId.IsDefault)
            _parked.Set(command.AggregateId, _parked.LettersOf(command.AggregateId, Letters, Foreign, _stop));
        else if (letters.Count > 0 && request.IsDiscard)
            _parked.AddUnkeyed(-1);
    }

    private IReadOnlyList<DeadLetter> LettersOf(AggregateId id, long? offset)
    {
        if (!id.IsDefault)
            return [.. _parked.LettersOf(id, Letters, Foreign, _stop).Where(l => offset is null || l.Offset == offset)];
        return offset is { } one
            ? [.. Letters.Read(_partition, one, withResolved: false, Foreign, _stop).Where(l => l.Offset == one && l.AggregateId.IsDefault)]
            : [];
    }

    // In transactions of at most a batch each; the last one takes the request's offset. When the owner changes in between, the next one
    // finds the request again, and only the letters that are left.
    private void Resolve(IncomingCommand? command, DeadLetterRequest request, int events, IReadOnlyList<DeadLetter> letters, long input)
    {
        int done = 0;
        bool goesOn = true;
        do
        {
            DeadLetter[] part = [.. letters.Skip(done).Take(_context.Options.MaxBatchCommands)];
            IncomingCommand[] originals = [.. Letters.Fetch(part, _context.Options.MaxBatchBytes, _stop).Select(r =>
                _registry.Read(DeadLetterFormat.OriginalOf(r), _read, _stop))];
            bool isLast = done + originals.Length >= letters.Count;
            int resolved = 0;
            _committer.Commit(
                () =>
                {
                    (resolved, goesOn) = (0, true);
                    for (int i = 0; i < originals.Length && goesOn; i++)
                    {
                        goesOn = request.IsDiscard
                            ? _decider.Discard(originals[i], part[i].Offset, request)
                            : _decider.DecideAgain(originals[i], part[i].Offset, request);
                        resolved += goesOn ? 1 : 0;
                    }

                    if (command is not null && (isLast || !goesOn))
                        _decider.Answer(command, AnswerTo(command, events, done + resolved, letters.Count));
                },
                () => isLast || !goesOn ? input : -1);
            done += resolved;
            if (isLast)
                break;
        }
        while (goesOn);
        LogResolved(_partition, request.IsDiscard ? "discarded" : "processed again", events + done,
            command?.AggregateId.ToString() ?? letters[0].AggregateId.Value, request.By);
    }

    private CommandOutcome AnswerTo(IncomingCommand command, int events, int resolved, int all)
    {
        // Of the aggregate, not of the letters that were named: those behind one that is discarded wait until they are processed again.
        long left = !command.AggregateId.IsDefault && _parked.TryGet(command.AggregateId, out ParkedAggregate? parked)
            ? parked.Records - resolved
            : all - resolved;
        var figures = new Dictionary<string, string>
        {
            ["settled"] = (events + resolved).ToString(CultureInfo.InvariantCulture),
            ["left"] = left.ToString(CultureInfo.InvariantCulture),
        };
        return resolved == all
            ? new CommandOutcome(OutcomeKind.Accepted, VersionOf(command), Explanation: new Explanation(null, null, null, figures))
            : CommandOutcome.Rejected(VersionOf(command), StillParked,
                $"The {_context.Definition.Name} '{command.AggregateId}' is parked still: {_decider.LastRefusal}", figures);
    }

    private void Refuse(IncomingCommand command, long input, string code, string message) =>
        _committer.Commit(() => _decider.Answer(command, CommandOutcome.Rejected(VersionOf(command), code, message)), () => input);

    private long VersionOf(IncomingCommand command) => command.AggregateId.IsDefault ? 0 : _decider.VersionOf(command.AggregateId);

    // Store first and flushed, then letter and snapshot in one transaction: neither an older store nor an older barrier can bring back the
    // state before the event once the letter is resolved.
    private bool ResolveEvents(AggregateId id, DeadLetter[] events, DeadLetterRequest request)
    {
        HashSet<long> discarded = request.IsDiscard ? [.. events.Select(l => l.OriginOffset)] : [];
        try
        {
            Repair().FoldAgain(id, events[0].OriginOffset, discarded, _stop);
        }
        catch (InvalidDataException still)
        {
            _transactions.Writer.Begin();
            _transactions.Writer.WriteDeadLetter(DeadLetterFormat.Refused(IncomingCommand.KeyOf(id), events[0].Offset,
                ParkingCauses.From(still), still.Message, _context.Time.GetUtcNow()));
            _transactions.Commit();
            return false;
        }

        byte[] key = IncomingCommand.KeyOf(id);
        long foldedTo = _store.Load(id)?.EventOffset ?? -1;
        ResolveFolded([id], events, letter => request.IsDiscard
            ? DeadLetterFormat.Discarded(key, letter.Offset, request.By, request.Reason!, _context.Time.GetUtcNow(), foldedTo)
            : DeadLetterFormat.Retried(key, letter.Offset, Folded, request.By, _context.Time.GetUtcNow()));
        foreach (long offset in discarded)
            _parked.PassOver(offset);
        return true;
    }

    private void ResolveFolded(IReadOnlyList<AggregateId> ids, DeadLetter[] events, Func<DeadLetter, Message<byte[], byte[]>> entry)
    {
        foreach (AggregateId id in ids)
            _aggregates.Forget(id);
        _store.Flush();
        while (!_committer.TryWriteBarrier(() =>
               {
                   foreach (DeadLetter letter in events)
                       _transactions.Writer.WriteDeadLetter(entry(letter));
               }))
            _stop.ThrowIfCancellationRequested();
        // Before a request is answered: whoever has the answer reads the state that was folded.
        if (ids is [var one])
        {
            _parked.Set(one, _parked.LettersOf(one, Letters, Foreign, _stop));
            return;
        }

        ILookup<AggregateId, DeadLetter> left = Letters.Read(_partition, 0, withResolved: false, Foreign, _stop).ToLookup(l =>
            l.AggregateId);
        foreach (AggregateId id in ids)
            _parked.Set(id, [.. left[id]]);
    }

    /// <summary>
    /// What other code could not read is tried by this one, in order, with what waits behind it: folding again decides nothing twice.
    /// Events that can be read and not folded wait for an operator.
    /// </summary>
    public void FoldWhatCanBeReadNow()
    {
        if (!_parked.HasBroken)
            return;
        List<DeadLetter> letters = [.. Letters.Read(_partition, 0, withResolved: false, Foreign, _stop).Where(l =>
            !l.AggregateId.IsDefault)];
        DeadLetter[] unreadable = [.. letters.Where(l => l.OriginTopic == _events && ParkingCauses.IsUnreadable(l.Cause))];
        EventRepair repair = Repair();
        HashSet<AggregateId> foldable = FindFoldable(unreadable, repair);
        if (foldable.Count == 0)
            return;
        long first = unreadable.Where(l => foldable.Contains(l.AggregateId)).Min(l => l.OriginOffset);
        IReadOnlySet<AggregateId> folded = repair.FoldAgain(foldable, first, _stop);
        DeadLetter[] resolved = [.. unreadable.Where(l => folded.Contains(l.AggregateId))];
        if (resolved.Length == 0)
            return;
        var request = new DeadLetterRequest(IsDiscard: false, null, $"the node {_context.Node.Id}, which can read it", null);
        ResolveFolded([.. folded], resolved, letter =>
            DeadLetterFormat.Retried(IncomingCommand.KeyOf(letter.AggregateId), letter.Offset, Folded, request.By,
                _context.Time.GetUtcNow()));
        foreach (IGrouping<AggregateId, DeadLetter> own in letters.Except(resolved).Where(l => folded.Contains(l.AggregateId)).GroupBy(l =>
            l.AggregateId))
        {
            if (_parked.TryGet(own.Key, out ParkedAggregate? parked) && parked.BrokenAt >= 0)
                continue; // another event of its cannot be folded
            Resolve(null, request, 1, [.. own], -1);
            _parked.Set(own.Key, _parked.LettersOf(own.Key, Letters, Foreign, _stop));
        }

        LogFoldedAgain(_partition, folded.Count);
    }

    private HashSet<AggregateId> FindFoldable(DeadLetter[] unreadable, EventRepair repair)
    {
        HashSet<long> ofSchema = [.. unreadable.Where(l => l.Cause is ParkingCauses.UnknownSchema or ParkingCauses.UnknownEvent).Select(
            l => l.Offset)];
        var unknown = new HashSet<int>(); // schema ids: the registry is asked once for each
        HashSet<AggregateId> foldable = [];
        foreach (ConsumeResult<byte[], byte[]> letter in Letters.Fetch(unreadable, _stop))
        {
            ConsumeResult<byte[], byte[]> original = DeadLetterFormat.OriginalOf(letter);
            bool hasSchema = WireFormat.TryReadSchemaId(original.Message.Value, out int schema) && ofSchema.Contains(letter.Offset.Value);
            if (hasSchema && unknown.Contains(schema))
                continue;
            if (!repair.CanRead(original, _stop))
            {
                if (hasSchema)
                    unknown.Add(schema);
            }
            else if (repair.CanFold(original, _stop))
            {
                foldable.Add(DeadLetterFormat.AggregateOf(original.Message.Key));
            }
        }

        return foldable;
    }

    private EventRepair Repair() =>
        new(_context.Connection, new EventFolder(_context, _partition, _registry, _store,
            new AggregateCache(_store, _context.Definition, 1), _parked), _parked, Park);

    private void Foreign(string message) => LogForeign(_partition, message);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Partition {Partition} has {Aggregates} parked aggregates with {Records} records")]
    private partial void LogParked(int partition, int aggregates, long records);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Partition {Partition}: {Aggregates} aggregates that were parked by an event which could not be read are folded: this "
            + "node can read it")]
    private partial void LogFoldedAgain(int partition, int aggregates);

    [LoggerMessage(Level = LogLevel.Error, Message = "The event of partition {Partition} at {Offset} parks its aggregate: {Reason}")]
    private partial void LogEventParked(int partition, long offset, string reason);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Partition {Partition}: {What}: {Letters} dead letters of '{Aggregate}', as {By} asked")]
    private partial void LogResolved(int partition, string what, int letters, string aggregate, string by);

    [LoggerMessage(Level = LogLevel.Error, Message = "Partition {Partition} passes over a record of its dead-letters topic: {Reason}")]
    private partial void LogForeign(int partition, string reason);
}
