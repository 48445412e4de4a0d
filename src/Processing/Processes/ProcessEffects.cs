using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// What a batch sends besides its events and replies: the commands that a process's events cause, outcomes for other processes, and timers.
/// All of it travels in the batch's transaction. Owned by the partition task's thread.
/// </summary>
internal sealed class ProcessEffects
{
    private static readonly TimeSpan TimerRetryDelay = TimeSpan.FromMinutes(1);

    private readonly AggregateDefinition _definition;
    private readonly TopicFamily _topics;
    private readonly TopicPartition _timersTopic;
    private readonly ProcessorEncoders _encoders;
    private readonly AvroMessageSerde _serde;
    private readonly ProcessTimers? _timers;
    private readonly TimeProvider _time;
    private readonly int _maxCommandBytes;
    private readonly byte[] _source;
    private readonly PooledBuffer _buffer = new();
    private readonly List<(TopicPartition Target, Message<byte[], byte[]> Message)> _records = [];
    private readonly List<(TimerKey Key, DateTimeOffset? Due)> _timerChanges = [];

    public ProcessEffects(
        AggregateDefinition definition, TopicFamily topics, int partition, AvroMessageSerde serde, ProcessorEncoders encoders,
        ProcessTimers? timers, TimeProvider time, int maxCommandBytes)
    {
        (_definition, _topics, _serde, _encoders, _timers, _time, _maxCommandBytes) = (definition, topics, serde, encoders, timers, time,
            maxCommandBytes);
        _timersTopic = new TopicPartition(topics.Timers, partition);
        _source = Encoding.UTF8.GetBytes($"/{topics.Application}/{topics.Aggregate}");
    }

    /// <summary>The records, in order.</summary>
    public IReadOnlyList<(TopicPartition Target, Message<byte[], byte[]> Message)> Records => _records;

    /// <summary>The bytes of their values.</summary>
    public long Bytes => _records.Sum(r => (long)(r.Message.Value?.Length ?? 0));

    public void Begin()
    {
        _records.Clear();
        _timerChanges.Clear();
    }

    /// <summary>Takes the timers over: they are in the log now.</summary>
    public void Apply()
    {
        if (_timers is null)
            return;
        foreach ((TimerKey key, DateTimeOffset? due) in _timerChanges)
            _timers.Set(key, due);
        _timers.Arm();
    }

    /// <summary>Whether outcomes can be told to that process.</summary>
    public bool Knows(string process) => _encoders.Routes.TryFind(process, out _);

    /// <summary>Whether a timer is set still, and for that time.</summary>
    public bool IsSet(TimerKey key, DateTimeOffset due)
    {
        for (int i = _timerChanges.Count - 1; i >= 0; i--)
        {
            if (_timerChanges[i].Key == key)
                return _timerChanges[i].Due == due;
        }

        return _timers?.DueOf(key) == due;
    }

    /// <summary>A mark to come back to.</summary>
    public (int Records, int Timers) Mark() => (_records.Count, _timerChanges.Count);

    /// <summary>Drops what was added since.</summary>
    public void Return((int Records, int Timers) mark)
    {
        _records.RemoveRange(mark.Records, _records.Count - mark.Records);
        _timerChanges.RemoveRange(mark.Timers, _timerChanges.Count - mark.Timers);
    }

    /// <summary>Adds what an event causes; returns code and message of what cannot be sent.</summary>
    public (string Code, string Message)? Add(Reaction reaction, AggregateId id, long version, IncomingCommand cause)
    {
        for (int i = 0; i < reaction.Commands.Count; i++)
        {
            if (Send(reaction.Commands[i], id, version, i, cause) is { } unusable)
                return unusable;
        }

        foreach (ReactionTimer timer in reaction.Timers)
            SetTimer(new TimerKey(id, timer.Name), timer.Due is { } due ? InMicroseconds(due) : null);
        return null;
    }

    /// <summary>Ends a timer that has elapsed, before it is decided: the decision may set it anew.</summary>
    public void End(TimerKey timer) => SetTimer(timer, null);

    /// <summary>Adds what the outcome of a command leads to: the process that sent it is told.</summary>
    public void Complete(IncomingCommand command, CommandOutcome outcome)
    {
        // Nobody waits for a timer: one that could not be decided is tried again until it can.
        if (command.Timer is { } timer && outcome.Kind is OutcomeKind.Faulted or OutcomeKind.Parked)
            SetTimer(timer, InMicroseconds(_time.GetUtcNow() + TimerRetryDelay));
        if (command.AnswerTo is not { } to
            || outcome.Kind == OutcomeKind.Parked
            || !_encoders.Routes.TryFind(to.Process, out TopicEncoder? encoder))
            return;
        var answer = new CommandAnswered
        {
            Step = to.Step,
            CommandId = command.CommandId.Value,
            AggregateId = OutcomeReplies.AggregateOf(command),
            Outcome = OutcomeReplies.ToWire(outcome.Kind),
            Version = outcome.Version,
            Code = outcome.Explanation?.Code,
            Message = outcome.Explanation?.Message,
        };
        byte[] id = IdOf("answer", _topics.Aggregate, answer.AggregateId, answer.CommandId);
        _records.Add((new TopicPartition(encoder.Topic, Partition.Any), Record(to.Id, answer, encoder, id, command, answerTo: null)));
    }

    private (string Code, string Message)? Send(ReactionCommand send, AggregateId id, long version, int index, IncomingCommand cause)
    {
        if (!_encoders.Routes.TryFind(send.Command.GetType(), out TopicEncoder? encoder))
            return ("unknown-command",
                $"No aggregate of the application decides {send.Command.GetType().Name}, which the step '{send.Step}' sends.");
        byte[] commandId = IdOf("command", _topics.Aggregate, id.Value, string.Create(CultureInfo.InvariantCulture, $"{version}/{index}"));
        ReplyTarget? answerTo = _definition.CommandTypes.Contains(typeof(CommandCompleted))
            ? new ReplyTarget(_topics.Aggregate, send.Step, id)
            : null;
        Message<byte[], byte[]> record;
        try
        {
            record = Record(send.To, (IAvroRecord)send.Command, encoder, commandId, cause, answerTo);
        }
        catch (Exception unencodable) when (unencodable is not OutOfMemoryException)
        {
            return ("command-unencodable",
                $"The {send.Command.GetType().Name} that the step '{send.Step}' sends cannot be encoded: {unencodable.Message}");
        }

        if (record.Value.Length > _maxCommandBytes)
            return ("command-too-large",
                $"The {send.Command.GetType().Name} that the step '{send.Step}' sends has {record.Value.Length:N0} bytes; at "
                    + $"most {_maxCommandBytes:N0} are allowed.");
        _records.Add((new TopicPartition(encoder.Topic, Partition.Any), record));
        return null;
    }

    private void SetTimer(TimerKey key, DateTimeOffset? due)
    {
        if (due is null && !IsKnown(key))
            return;
        _timerChanges.Add((key, due));
        var message = new Message<byte[], byte[]> { Key = key.ToBytes(), Headers = new Headers { { CloudEventHeaders.Source, _source } } };
        if (due is { } time)
        {
            _buffer.Clear();
            _encoders.Timers!.Encode(new Avro.Messages.TimerElapsed { Name = key.Name, Due = time }, _buffer);
            message.Value = _buffer.WrittenSpan.ToArray();
        }

        _records.Add((_timersTopic, message));
    }

    private bool IsKnown(TimerKey key) => _timers?.DueOf(key) is not null || _timerChanges.Exists(c => c.Key == key);

    private Message<byte[], byte[]> Record(AggregateId to, IAvroRecord payload, TopicEncoder encoder, byte[] id, IncomingCommand cause,
        ReplyTarget? answerTo)
    {
        _buffer.Clear();
        encoder.Encode(payload, to.Value, _buffer, marksErased: true);
        byte[] causation = Encoding.UTF8.GetBytes(cause.CommandId.Value);
        var headers = new Headers
        {
            { CloudEventHeaders.SpecVersion, CloudEventHeaders.SpecVersion10 },
            { CloudEventHeaders.Id, id },
            { CloudEventHeaders.Source, _source },
            { CloudEventHeaders.Type, Encoding.UTF8.GetBytes(_serde.TypeOf(payload.GetType()).FullName) },
            { CloudEventHeaders.Time, CloudEventHeaders.Encode(cause.Time) },
            { CloudEventHeaders.CausationId, causation },
            { CloudEventHeaders.CorrelationId, cause.CorrelationId ?? causation },
        };
        if (answerTo is not null)
            headers.Add(CloudEventHeaders.AnswerTo, answerTo.ToBytes());
        if (cause.TraceParent is { } trace)
            headers.Add(CloudEventHeaders.TraceParent, trace);
        if (cause.TraceState is { } traceState)
            headers.Add(CloudEventHeaders.TraceState, traceState);
        return new Message<byte[], byte[]> { Key = IncomingCommand.KeyOf(to), Value = _buffer.WrittenSpan.ToArray(), Headers = headers };
    }

    // A name-based UUID, version 8 (RFC 9562, section 5.8) of a SHA-256: the same cause gives the same id, whoever decides it again.
    private byte[] IdOf(params ReadOnlySpan<string> names)
    {
        Span<byte> hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{_topics.Application}\n{string.Join('\n', names)}")).AsSpan(0, 16);
        hash[6] = (byte)((hash[6] & 0x0f) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3f) | 0x80);
        return Encoding.UTF8.GetBytes(new Guid(hash, bigEndian: true).ToString());
    }

    // As the timers topic keeps it, so that what is remembered is what is read.
    private static DateTimeOffset InMicroseconds(DateTimeOffset due) =>
        new(due.UtcTicks / TimeSpan.TicksPerMicrosecond * TimeSpan.TicksPerMicrosecond, TimeSpan.Zero);
}
