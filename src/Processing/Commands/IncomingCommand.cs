using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Unicode;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>A record of the command topic, read as far as it can be: what is wrong with it is an answer, not a fault.</summary>
internal sealed class IncomingCommand
{
    public const string NotAvro = "not-avro";
    public const string UnknownSchema = "unknown-schema";
    public const string UnknownCommand = "unknown-command";
    public const string Undecodable = "undecodable-command";
    public const string InvalidHeader = "invalid-header";
    public const string InvalidKey = "invalid-aggregate-id";
    public const string Misplaced = "misplaced-command";

    private const string InvalidTime = "invalid-time";

    // What is handed on to every event of a command must leave room for the event.
    private const int MaxHandedOnBytes = 1_024;

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    // Most commands of a fast producer come by the direct door, and have nothing of this: they share it.
    private static readonly TopicPart None = new();

    private readonly TopicPart _topic;
    private TracePart? _trace;

    private IncomingCommand(TopicPart topic) => _topic = topic;

    /// <summary>The record; null: it came by the direct door.</summary>
    public ConsumeResult<byte[], byte[]>? Record => _topic.Record;

    /// <summary>What an operator asks of dead letters; null: it is a command.</summary>
    public DeadLetterRequest? Request => _topic.Request;

    /// <summary>Who waits for the outcome at the direct door; null: it came by the command topic and is answered in the replies topic.</summary>
    public DirectCaller? Caller { get; private set; }

    public AggregateId AggregateId { get; private set; }

    /// <summary>The key as text, for replies to commands whose key is no aggregate id.</summary>
    public string KeyText => _topic.KeyText;

    public CommandId CommandId { get; private set; }

    public object? Payload { get; private set; }

    public ExpectedVersion Expected { get; private set; }

    /// <summary>What it is, to be told from another one under its id.</summary>
    public CommandDigest Digest { get; private set; }

    public DateTimeOffset Time { get; private set; }

    public byte[]? CorrelationId { get; private set; }

    /// <summary>The trace context that its events have: of its decision, where that is traced, else of whoever sent it.</summary>
    public byte[]? TraceParent { get; private set; }

    /// <summary>What belongs to <see cref="TraceParent"/>.</summary>
    public byte[]? TraceState => _trace?.State;

    /// <summary>The context of whoever sent it; default: it has none. Asked only while somebody listens.</summary>
    public ActivityContext Sender => _trace?.Decided?.Sender ?? Tracing.ContextOf(TraceParent, TraceState);

    /// <summary>The context that its events have. Asked only while somebody listens.</summary>
    public ActivityContext Context => _trace?.Decided?.Decision ?? Tracing.ContextOf(TraceParent, TraceState);

    /// <summary>The process that sent it and is told the outcome; null: no process did.</summary>
    public AnswerAddress? AnswerTo => _topic.AnswerTo;

    /// <summary>The timer that has come due; null: it is a command of somebody.</summary>
    public TimerKey? Timer => _topic.Timer;

    /// <summary>Where the reply goes; -1: to the partition of the command.</summary>
    public int ReplyPartition => _topic.ReplyPartition;

    public byte[]? ReplyClient => _topic.ReplyClient;

    /// <summary>Code and message of what is wrong; null when the command can be decided.</summary>
    public (string Code, string Message)? Fault => _topic.Fault;

    /// <summary>The partition of the command topic that it is forwarded to, as it lies on another; null: it lies where its key belongs.</summary>
    public int? ForwardTo => _topic.ForwardTo;

    /// <summary>Reads a record of the command topic whose id is <paramref name="topic"/>.</summary>
    public static IncomingCommand Read(ConsumeResult<byte[], byte[]> record, TopicId topic, AvroMessageSerde serde, AggregateDefinition definition)
    {
        Headers headers = record.Message.Headers;
        var command = new IncomingCommand(new TopicPart { Record = record })
        {
            CommandId = IdOfPlace(record.TopicPartitionOffset, topic),
            Expected = ExpectedVersion.Any,
            TraceParent = CloudEventHeaders.Find(headers, CloudEventHeaders.TraceParent),
            _trace = TraceOf(CloudEventHeaders.Find(headers, CloudEventHeaders.TraceState)),
            CorrelationId = CloudEventHeaders.Find(headers, CloudEventHeaders.CorrelationId),
        };
        command.ReadReplyTo(CloudEventHeaders.Find(headers, CloudEventHeaders.ReplyTo));
        if (DeadLetterRequest.Is(headers))
        {
            command.ReadRequest(record);
            return command;
        }

        command._topic.Fault = command.ReadKey(record.Message.Key) ?? command.ReadTimestamp(record.Message.Timestamp) ?? command.ReadHeaders(headers) ?? command.ReadValue(record.Message, serde, definition);
        return command;
    }

    /// <summary>
    /// A record that lies on another partition than that of its key, <paramref name="right"/>: only what answers need is read, the rest is for whoever decides it. A <paramref name="fault"/> says why it cannot be forwarded.
    /// </summary>
    public static IncomingCommand ReadMisplaced(ConsumeResult<byte[], byte[]> record, TopicId topic, int right, string? fault)
    {
        var command = new IncomingCommand(new TopicPart { Record = record, ForwardTo = fault is null ? right : null })
        {
            CommandId = IdOfPlace(record.TopicPartitionOffset, topic),
            Expected = ExpectedVersion.Any,
        };
        command.ReadReplyTo(CloudEventHeaders.Find(record.Message.Headers, CloudEventHeaders.ReplyTo));
        command.ReadKey(record.Message.Key);
        command.ReadHeaders(record.Message.Headers); // what is wrong with them is told where the command is decided
        if (fault is not null)
            command._topic.Fault = (Misplaced, fault);
        return command;
    }

    /// <summary>Kafka has refused to take the record on the partition where it belongs: it is put aside where it lies.</summary>
    public void RefuseForward(string reason)
    {
        _topic.Fault = (Misplaced, $"The command lies on partition {Record!.Partition.Value} and belongs to partition {ForwardTo}, where Kafka does not take it: {reason}");
        _topic.ForwardTo = null;
    }

    /// <summary>A command of the direct door. Its payload must be one that the aggregate decides.</summary>
    /// <exception cref="InvalidInputException">The correlation id or the trace context is too long.</exception>
    public static IncomingCommand Of(CommandEnvelope envelope, DateTimeOffset now, CommandDigest digest, Func<CommandEnvelope, Task<CommandResult>>? elsewhere = null) => new(None)
    {
        AggregateId = envelope.AggregateId,
        CommandId = envelope.CommandId,
        Payload = envelope.Payload,
        Expected = envelope.ExpectedVersion,
        Digest = digest,
        Time = envelope.Time ?? now,
        CorrelationId = HandedOn("correlationId", envelope.CorrelationId),
        TraceParent = HandedOn("traceParent", envelope.TraceParent ?? Activity.Current?.Id),
        _trace = TraceOf(Tracing.StateOf(envelope) is { } state ? Encoding.UTF8.GetBytes(state) : null),
        Caller = new DirectCaller(envelope, elsewhere),
    };

    /// <summary>A timer that has come due; its time is when it was due, so that deciding it again gives the same.</summary>
    public static IncomingCommand Of(TimerKey timer, CommandId id, TimerElapsed elapsed) => new(new TopicPart { Timer = timer })
    {
        AggregateId = timer.Id,
        CommandId = id,
        Payload = elapsed,
        Expected = ExpectedVersion.Any,
        Time = elapsed.Due,
    };

    /// <summary>It is decided within <paramref name="deciding"/>, to which whoever reads its events links; null: it is not traced. A command whose batch was aborted is decided again.</summary>
    public void Trace(Activity? deciding)
    {
        if (deciding?.Id is not { } id)
            return;
        _trace = new TracePart(deciding.TraceStateString is { } state ? Bounded(Encoding.UTF8.GetBytes(state)) : null, new DecisionTrace(Sender, deciding.Context));
        TraceParent = Encoding.UTF8.GetBytes(id);
    }

    /// <summary>Whether a record's timestamp can be told as a time: Kafka keeps whatever 64 bits a producer gave; the .NET type has less room.</summary>
    public static bool IsTime(Timestamp timestamp) =>
        timestamp.UnixTimestampMs >= DateTimeOffset.MinValue.ToUnixTimeMilliseconds() && timestamp.UnixTimestampMs <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    /// <summary>The key of an aggregate's records.</summary>
    public static byte[] KeyOf(AggregateId id) => Encoding.UTF8.GetBytes(id.Value);

    // A command without an id is the record that it is, in the topic that it is in: one that is made again under the name begins with the same offsets. A long topic name is left out, or, where brokers have no topic ids, told by
    // its hash: an id has less room than topic, partition and offset may need.
    private static CommandId IdOfPlace(TopicPartitionOffset place, TopicId topic)
    {
        string offset = $"{place.Partition.Value}-{place.Offset.Value}";
        string id = topic.IsUnknown ? $"{place.Topic}-{offset}" : $"{place.Topic}-{topic}-{offset}";
        if (id.Length > CommandId.MaxBytes)
            id = topic.IsUnknown ? $"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(place.Topic)))}-{offset}" : $"{topic}-{offset}";
        return CommandId.Parse(id);
    }

    private static byte[]? HandedOn(string field, string? text)
    {
        byte[]? bytes = text is null ? null : Encoding.UTF8.GetBytes(text);
        return !(bytes?.Length > MaxHandedOnBytes) ? bytes : throw new InvalidInputException(field, $"The {field} has {bytes.Length} bytes of UTF-8; at most {MaxHandedOnBytes} are allowed.");
    }

    private static TracePart? TraceOf(byte[]? traceState) => Bounded(traceState) is { } state ? new TracePart(state, null) : null;

    // What is too long is left out, as its specification allows.
    private static byte[]? Bounded(byte[]? traceState) => traceState?.Length > MaxHandedOnBytes ? null : traceState;

    private void ReadReplyTo(byte[]? value)
    {
        if (value is null || value.Length > MaxHandedOnBytes)
            return;
        int slash = value.AsSpan().IndexOf((byte)'/');
        if (CloudEventHeaders.TryDecodeNumber(slash < 0 ? value : value.AsSpan(0, slash), out long partition) && partition is >= 0 and <= int.MaxValue)
        {
            _topic.ReplyPartition = (int)partition;
            _topic.ReplyClient = slash < 0 ? null : value[(slash + 1)..];
        }
    }

    // Without key it is about a record that has no aggregate.
    private void ReadRequest(ConsumeResult<byte[], byte[]> record)
    {
        AggregateId = DeadLetterFormat.AggregateOf(record.Message.Key);
        if (!DeadLetterRequest.TryRead(record.Message.Headers, out DeadLetterRequest? request, out string error))
            _topic.Fault = (InvalidHeader, error);
        _topic.Request = request ?? new DeadLetterRequest(false, null, "", null);
        _topic.Fault ??= ReadHeaders(record.Message.Headers);
    }

    private (string, string)? ReadKey(byte[]? key)
    {
        _topic.KeyText = key is null ? "" : Encoding.UTF8.GetString(key.AsSpan(0, Math.Min(key.Length, AggregateId.MaxBytes)));
        try
        {
            if (!AggregateId.TryParse(key is null ? null : StrictUtf8.GetString(key), out AggregateId id, out string? error))
                return (InvalidKey, $"The record's key must be the aggregate id: {error}");
            AggregateId = id;
            return null;
        }
        catch (DecoderFallbackException malformed)
        {
            return (InvalidKey, $"The record's key must be the aggregate id in UTF-8: {malformed.Message}");
        }
    }

    private (string, string)? ReadTimestamp(Timestamp timestamp)
    {
        if (!IsTime(timestamp))
            return (InvalidTime, $"The record's timestamp is {timestamp.UnixTimestampMs} ms; it must be a time in the years 1 to 9999.");
        Time = DateTimeOffset.FromUnixTimeMilliseconds(timestamp.UnixTimestampMs);
        return null;
    }

    private (string, string)? ReadHeaders(Headers headers)
    {
        foreach ((string name, byte[]? value) in (ReadOnlySpan<(string, byte[]?)>)[(CloudEventHeaders.CorrelationId, CorrelationId), (CloudEventHeaders.TraceParent, TraceParent)])
        {
            if (value?.Length > MaxHandedOnBytes)
                return (InvalidHeader, $"The header {name} has {value.Length} bytes; at most {MaxHandedOnBytes} are allowed.");
        }

        if (CloudEventHeaders.Find(headers, CloudEventHeaders.Id) is { } idBytes)
        {
            if (!TryDecode(idBytes, out string? text))
                return (InvalidHeader, $"The header {CloudEventHeaders.Id} must be the command id in UTF-8, and is not UTF-8.");
            if (!CommandId.TryParse(text, out CommandId id, out string? error))
                return (InvalidHeader, $"The header {CloudEventHeaders.Id} must be the command id: {error}");
            CommandId = id;
        }

        if (CloudEventHeaders.Find(headers, CloudEventHeaders.ExpectedVersion) is { } expectedBytes)
        {
            string text = Encoding.UTF8.GetString(expectedBytes);
            if (!ExpectedVersion.TryParse(text, out ExpectedVersion expected))
                return (InvalidHeader, $"The header {CloudEventHeaders.ExpectedVersion} is '{text}'; it must be any, new, exists, or a whole number from 0.");
            Expected = expected;
        }

        if (CloudEventHeaders.Find(headers, CloudEventHeaders.Time) is { } timeBytes)
        {
            if (!CloudEventHeaders.TryDecodeTime(timeBytes, out DateTimeOffset time))
                return (InvalidHeader, $"The header {CloudEventHeaders.Time} is '{Encoding.UTF8.GetString(timeBytes)}'; it must be a time as in RFC 3339, such as 1993-07-31T12:00:00Z.");
            Time = time;
        }

        if (CloudEventHeaders.Find(headers, CloudEventHeaders.AnswerTo) is { } answerBytes)
        {
            if (!AnswerAddress.TryParse(answerBytes, out AnswerAddress? address))
                return (InvalidHeader, $"The header {CloudEventHeaders.AnswerTo} is '{Encoding.UTF8.GetString(answerBytes)}'; it must be process/step/id.");
            _topic.AnswerTo = address;
        }

        return null;
    }

    // Other bytes must not become U+FFFD: different ids would be one.
    private static bool TryDecode(byte[] bytes, [NotNullWhen(true)] out string? text)
    {
        text = Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : null;
        return text is not null;
    }

    private (string, string)? ReadValue(Message<byte[], byte[]> message, AvroMessageSerde serde, AggregateDefinition definition)
    {
        try
        {
            IAvroRecord payload = serde.Decode(message.Value, CloudEventHeaders.Find(message.Headers, WireFormat.ValueSchemaIdHeader));
            if (!ProcessMessageCodec.TryDecode(payload, out object? command, out string? error))
                return (Undecodable, error);
            if (!definition.CommandTypes.Contains(command.GetType()))
                return (UnknownCommand, $"The aggregate '{definition.Name}' does not decide {command.GetType().Name}; it decides {string.Join(", ", definition.CommandTypes.Select(t => t.Name).Order(StringComparer.Ordinal))}.");
            Payload = command;
            Digest = CommandDigest.Of(serde.TypeOf(payload.GetType()), payload, Expected);
            return null;
        }
        catch (UndecodableMessageException undecodable)
        {
            return (undecodable.Reason switch
            {
                UndecodableReason.NotAvro => NotAvro,
                UndecodableReason.UnknownSchemaId => UnknownSchema,
                UndecodableReason.UnknownType => UnknownCommand,
                _ => Undecodable,
            }, undecodable.Message);
        }
    }

    /// <summary>What only commands of the command topic, and timers, have.</summary>
    private sealed class TopicPart
    {
        public ConsumeResult<byte[], byte[]>? Record { get; init; }

        public TimerKey? Timer { get; init; }

        public DeadLetterRequest? Request { get; set; }

        public string KeyText { get; set; } = "";

        public AnswerAddress? AnswerTo { get; set; }

        public int ReplyPartition { get; set; } = -1;

        public byte[]? ReplyClient { get; set; }

        public (string Code, string Message)? Fault { get; set; }

        public int? ForwardTo { get; set; }
    }

    // What few commands have.
    private sealed record TracePart(byte[]? State, DecisionTrace? Decided);

    private sealed record DecisionTrace(ActivityContext Sender, ActivityContext Decision);
}
