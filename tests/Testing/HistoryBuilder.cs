namespace KafkaEventSourcing.Testing.Tests;

/// <summary>A history by hand, of one tally: events and calls as a test says.</summary>
internal sealed class HistoryBuilder
{
    public static readonly DateTimeOffset Time = new(2026, 4, 1, 9, 0, 0, TimeSpan.Zero);
    public static readonly AggregateId Id = AggregateId.Parse("t");

    private readonly List<RecordedEvent> _events = [];
    private readonly List<RecordedCall> _calls = [];

    /// <summary>An event; it stands at the offset of ten times its place in the log.</summary>
    public HistoryBuilder Event(long version, string command, long by)
    {
        _events.Add(new RecordedEvent
        {
            AggregateId = Id,
            Version = version,
            Payload = new Tally.Added(by),
            Partition = 0,
            Offset = 10 * (_events.Count + 1),
            Time = Time,
            CommandId = CommandId.Parse(command),
        });
        return this;
    }

    public HistoryBuilder Command(long started, long ended, string id, Tally.Add payload, Func<CommandId, CommandResult>? answer,
        ExpectedVersion? expected = null)
    {
        var envelope = new CommandEnvelope(Id, CommandId.Parse(id), payload)
        {
            ExpectedVersion = expected ?? ExpectedVersion.Any, Time = Time,
        };
        _calls.Add(new RecordedCall("caller", Id, envelope, started,
            answer is null ? new CallAnswer.Unknown(ended, "time-out") : new CallAnswer.Told(ended, answer(envelope.CommandId))));
        return this;
    }

    public HistoryBuilder NotTaken(long started, long ended, string id, Tally.Add payload)
    {
        _calls.Add(new RecordedCall("caller", Id, new CommandEnvelope(Id, CommandId.Parse(id), payload) { Time = Time }, started,
            new CallAnswer.NotTaken(ended, "overloaded")));
        return this;
    }

    public HistoryBuilder Read(long started, long ended, long version, long sum)
    {
        _calls.Add(new RecordedCall("reader", Id, null, started,
            new CallAnswer.Seen(ended, version == 0
                ? null
                : new AggregateView(Id, version, new Tally.Total(sum), new ConsistencyToken(0, 10 * version)))));
        return this;
    }

    public HistoryVerdict Check(HistoryCheckerOptions? options = null, params IReadOnlyList<HistoryInvariant> invariants) =>
        new HistoryChecker(Tally.Definition, (options ?? new HistoryCheckerOptions()) with { TimestampFrequency = 1000 }, invariants).Check(
            _events, _calls);

    public static Func<CommandId, CommandResult> Accepted(long version, long? offset = null) =>
        id => new CommandResult.Accepted(id, Id, version, version == 0 ? default : new ConsistencyToken(0, offset ?? 10 * version));

    public static Func<CommandId, CommandResult> Rejected(long version, string code = "below-zero") => id =>
        new CommandResult.Rejected(id, Id, version, new Rejection(code, "No."));

    public static Func<CommandId, CommandResult> Conflict(long version, ExpectedVersion expected) => id =>
        new CommandResult.Conflict(id, Id, version, expected);
}
