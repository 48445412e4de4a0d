using System.Diagnostics;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// A command on its way to its decision: of the command topic (<see cref="CommandRecord"/>), of a caller, or a timer that has come due.
/// </summary>
internal sealed class IncomingCommand
{
    // What is handed on to every event of a command must leave room for the event.
    public const int MaxHandedOnBytes = 1_024;

    // Most commands of a fast producer come by the direct door, and have nothing of this: they share it.
    private static readonly TopicPart None = new();

    private readonly TopicPart _topic;
    private TracePart? _trace;

    /// <summary>A command that is read from a record.</summary>
    internal IncomingCommand(TopicPart topic) => _topic = topic;

    /// <summary>The record; null: it came by the direct door.</summary>
    public ConsumeResult<byte[], byte[]>? Record => _topic.Record;

    /// <summary>What an operator asks of dead letters; null: it is a command.</summary>
    public DeadLetterRequest? Request => _topic.Request;

    /// <summary>
    /// Who waits for the outcome at the direct door; null: it came by the command topic and is answered in the replies topic.
    /// </summary>
    public DirectCaller? Caller { get; internal set; }

    public AggregateId AggregateId { get; internal set; }

    /// <summary>The key as text, for replies to commands whose key is not an aggregate id.</summary>
    public string KeyText => _topic.KeyText;

    public CommandId CommandId { get; internal set; }

    public object? Payload { get; internal set; }

    public ExpectedVersion Expected { get; internal set; }

    /// <summary>What it is, to be told from another one under its id.</summary>
    public CommandDigest Digest { get; internal set; }

    public DateTimeOffset Time { get; internal set; }

    public byte[]? CorrelationId { get; internal set; }

    /// <summary>The trace context that its events have: of its decision, where that is traced, else of whoever sent it.</summary>
    public byte[]? TraceParent { get; internal set; }

    /// <summary>What belongs to <see cref="TraceParent"/>; what is too long is left out.</summary>
    public byte[]? TraceState
    {
        get => _trace?.State;
        internal init => _trace = TraceOf(value);
    }

    /// <summary>The context of whoever sent it; default: it has none. Asked only while somebody listens.</summary>
    public ActivityContext Sender => _trace?.Decided?.Sender ?? Tracing.ContextOf(TraceParent, TraceState);

    /// <summary>The context that its events have. Asked only while somebody listens.</summary>
    public ActivityContext Context => _trace?.Decided?.Decision ?? Tracing.ContextOf(TraceParent, TraceState);

    /// <summary>The process that sent it and is told the outcome; null: no process did.</summary>
    public ReplyTarget? AnswerTo => _topic.AnswerTo;

    /// <summary>The timer that has come due; null: it is a command of somebody.</summary>
    public TimerKey? Timer => _topic.Timer;

    /// <summary>Where the reply goes; -1: to the partition of the command.</summary>
    public int ReplyPartition => _topic.ReplyPartition;

    public byte[]? ReplyClient => _topic.ReplyClient;

    /// <summary>Code and message of what is wrong; null when the command can be decided.</summary>
    public (string Code, string Message)? Fault => _topic.Fault;

    /// <summary>
    /// The partition of the command topic that it is forwarded to, as it lies on another; null: it lies where its key belongs.
    /// </summary>
    public int? ForwardTo => _topic.ForwardTo;

    /// <summary>Kafka has refused to take the record on the partition where it belongs: it is put aside where it lies.</summary>
    public void RefuseForward(string reason)
    {
        _topic.Fault = (CommandRecord.Misplaced,
            $"The command lies on partition {Record!.Partition.Value} and belongs to partition {ForwardTo}, where Kafka does not take "
                + $"it: {reason}");
        _topic.ForwardTo = null;
    }

    /// <summary>A command of the direct door. Its payload must be one that the aggregate decides.</summary>
    /// <exception cref="InvalidInputException">The correlation id or the trace context is too long.</exception>
    public static IncomingCommand From(CommandEnvelope envelope, DateTimeOffset now, CommandDigest digest,
        Func<CommandEnvelope, Task<CommandResult>>? elsewhere = null) => new(None)
    {
        AggregateId = envelope.AggregateId,
        CommandId = envelope.CommandId,
        Payload = envelope.Payload,
        Expected = envelope.ExpectedVersion,
        Digest = digest,
        Time = envelope.Time ?? now,
        CorrelationId = HandedOn("correlationId", envelope.CorrelationId),
        TraceParent = HandedOn("traceParent", envelope.TraceParent ?? Tracing.ParentOf(Activity.Current)),
        _trace = TraceOf(Tracing.StateOf(envelope) is { } state ? Encoding.UTF8.GetBytes(state) : null),
        Caller = new DirectCaller(envelope, elsewhere),
    };

    /// <summary>A timer that has come due; its time is when it was due, so that deciding it again gives the same.</summary>
    public static IncomingCommand From(TimerKey timer, CommandId id, TimerElapsed elapsed) => new(new TopicPart { Timer = timer })
    {
        AggregateId = timer.Id,
        CommandId = id,
        Payload = elapsed,
        Expected = ExpectedVersion.Any,
        Time = elapsed.Due,
    };

    /// <summary>
    /// It is decided within <paramref name="deciding"/>, to which whoever reads its events links; null: it is not traced. A command whose
    /// batch was aborted is decided again.
    /// </summary>
    public void Trace(Activity? deciding)
    {
        if (Tracing.ParentOf(deciding) is not { } id)
            return;
        _trace = new TracePart(deciding!.TraceStateString is { } state ? Bounded(Encoding.UTF8.GetBytes(state)) : null,
            new DecisionTrace(Sender, deciding.Context));
        TraceParent = Encoding.UTF8.GetBytes(id);
    }

    /// <summary>The key of an aggregate's records.</summary>
    public static byte[] KeyOf(AggregateId id) => Encoding.UTF8.GetBytes(id.Value);

    private static byte[]? HandedOn(string field, string? text)
    {
        byte[]? bytes = text is null ? null : Encoding.UTF8.GetBytes(text);
        return !(bytes?.Length > MaxHandedOnBytes)
            ? bytes
            : throw new InvalidInputException(field,
                $"The {field} has {bytes.Length} bytes of UTF-8; at most {MaxHandedOnBytes} are allowed.");
    }

    private static TracePart? TraceOf(byte[]? traceState) => Bounded(traceState) is { } state ? new TracePart(state, null) : null;

    // What is too long is left out, as its specification allows.
    private static byte[]? Bounded(byte[]? traceState) => traceState?.Length > MaxHandedOnBytes ? null : traceState;

    /// <summary>What only commands of the command topic, and timers, have.</summary>
    internal sealed class TopicPart
    {
        public ConsumeResult<byte[], byte[]>? Record { get; init; }

        public TimerKey? Timer { get; init; }

        public DeadLetterRequest? Request { get; set; }

        public string KeyText { get; set; } = "";

        public ReplyTarget? AnswerTo { get; set; }

        public int ReplyPartition { get; set; } = -1;

        public byte[]? ReplyClient { get; set; }

        public (string Code, string Message)? Fault { get; set; }

        public int? ForwardTo { get; set; }
    }

    // What few commands have.
    private sealed record TracePart(byte[]? State, DecisionTrace? Decided);

    private sealed record DecisionTrace(ActivityContext Sender, ActivityContext Decision);
}
