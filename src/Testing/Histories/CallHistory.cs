using System.Collections.Concurrent;

namespace KafkaEventSourcing.Testing;

/// <summary>
/// The calls of concurrent callers to the aggregates of one type, with their times and answers. A call costs two timestamps, one object and
/// the references to its command and answer; all are kept until the history is let go. Thread-safe.
/// </summary>
public sealed class CallHistory
{
    private readonly TimeProvider _time;
    private readonly ConcurrentQueue<OpenCall> _calls = [];

    /// <summary>An empty history, on the clock of <paramref name="timeProvider"/>.</summary>
    public CallHistory(TimeProvider timeProvider)
    {
        ArgumentNullException.ThrowIfNull(timeProvider);
        _time = timeProvider;
    }

    /// <summary>How many timestamps a second has.</summary>
    public long TimestampFrequency => _time.TimestampFrequency;

    internal TimeProvider Time => _time;

    /// <summary>A client that sends through <paramref name="client"/> and records each call as one of <paramref name="caller"/>.</summary>
    public ICommandClient Record(ICommandClient client, string caller) => new RecordingCommandClient(client, this, caller);

    /// <summary>A reader that reads through <paramref name="reader"/> and records each read as one of <paramref name="caller"/>.</summary>
    public IAggregateReader Record(IAggregateReader reader, string caller) => new RecordingAggregateReader(reader, this, caller);

    /// <summary>The calls as they are now, in the order in which they began.</summary>
    public IReadOnlyList<RecordedCall> Take()
    {
        RecordedCall[] calls = [.. _calls.Select(c =>
            new RecordedCall(c.Caller, c.AggregateId, c.Command, c.Started, c.Answer) { Consistency = c.Consistency })];
        Array.Sort(calls, (a, b) => a.Started.CompareTo(b.Started));
        return calls;
    }

    internal OpenCall Begin(string caller, AggregateId aggregateId, CommandEnvelope? command,
        ReadConsistency consistency = ReadConsistency.Strong)
    {
        var call = new OpenCall(caller, aggregateId, command, consistency, _time.GetTimestamp());
        _calls.Enqueue(call);
        return call;
    }

    /// <summary>A call that may not have returned yet.</summary>
    internal sealed class OpenCall(string caller, AggregateId aggregateId, CommandEnvelope? command, ReadConsistency consistency,
        long started)
    {
        private volatile CallAnswer? _answer;

        public string Caller => caller;

        public AggregateId AggregateId => aggregateId;

        public CommandEnvelope? Command => command;

        public ReadConsistency Consistency => consistency;

        public long Started => started;

        public CallAnswer? Answer
        {
            get => _answer;
            set => _answer = value;
        }
    }
}
