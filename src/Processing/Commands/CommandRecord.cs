using System.Security.Cryptography;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>Reads records of the command topic as far as they can be read: what is wrong with one is an answer, not a fault.</summary>
internal static class CommandRecord
{
    public const string NotAvro = "not-avro";
    public const string UnknownSchema = "unknown-schema";
    public const string UnknownCommand = "unknown-command";
    public const string Undecodable = "undecodable-command";
    public const string InvalidHeader = "invalid-header";
    public const string InvalidKey = "invalid-aggregate-id";
    public const string Misplaced = "misplaced-command";

    private const string InvalidTime = "invalid-time";

    /// <summary>Reads a record of the command topic whose id is <paramref name="topic"/>.</summary>
    public static IncomingCommand Read(ConsumeResult<byte[], byte[]> record, TopicId topic, AvroMessageSerde serde,
        AggregateDefinition definition)
    {
        Headers headers = record.Message.Headers;
        var origin = new IncomingCommand.TopicPart { Record = record };
        var command = new IncomingCommand(origin)
        {
            CommandId = IdOfPlace(record.TopicPartitionOffset, topic),
            Expected = ExpectedVersion.Any,
            TraceParent = CloudEventHeaders.Find(headers, CloudEventHeaders.TraceParent),
            TraceState = CloudEventHeaders.Find(headers, CloudEventHeaders.TraceState),
            CorrelationId = CloudEventHeaders.Find(headers, CloudEventHeaders.CorrelationId),
        };
        ReadReplyTo(origin, CloudEventHeaders.Find(headers, CloudEventHeaders.ReplyTo));
        if (DeadLetterRequest.Is(headers))
        {
            ReadRequest(command, origin, record);
            return command;
        }

        origin.Fault = ReadKey(command, origin, record.Message.Key)
            ?? ReadTimestamp(command, record.Message.Timestamp)
            ?? ReadHeaders(command, origin, headers)
            ?? ReadValue(command, record.Message, serde, definition);
        return command;
    }

    /// <summary>
    /// A record that lies on another partition than that of its key, <paramref name="right"/>: only what answers need is read, the rest is
    /// for whoever decides it. A <paramref name="fault"/> says why it cannot be forwarded.
    /// </summary>
    public static IncomingCommand ReadMisplaced(ConsumeResult<byte[], byte[]> record, TopicId topic, int right, string? fault)
    {
        var origin = new IncomingCommand.TopicPart { Record = record, ForwardTo = fault is null ? right : null };
        var command = new IncomingCommand(origin)
        {
            CommandId = IdOfPlace(record.TopicPartitionOffset, topic),
            Expected = ExpectedVersion.Any,
        };
        ReadReplyTo(origin, CloudEventHeaders.Find(record.Message.Headers, CloudEventHeaders.ReplyTo));
        ReadKey(command, origin, record.Message.Key);
        ReadHeaders(command, origin, record.Message.Headers); // what is wrong with them is told where the command is decided
        if (fault is not null)
            origin.Fault = (Misplaced, fault);
        return command;
    }

    /// <summary>
    /// Whether a record's timestamp can be told as a time: Kafka keeps whatever 64 bits a producer gave; the .NET type has less room.
    /// </summary>
    public static bool IsTime(Timestamp timestamp) =>
        timestamp.UnixTimestampMs >= DateTimeOffset.MinValue.ToUnixTimeMilliseconds()
            && timestamp.UnixTimestampMs <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    // A command without an id is the record that it is, in the topic that it is in: one that is made again under the name begins with the
    // same offsets. A long topic name is left out, or, where brokers have no topic ids, told by its hash: an id has less room than topic,
    // partition and offset may need.
    private static CommandId IdOfPlace(TopicPartitionOffset place, TopicId topic)
    {
        string offset = $"{place.Partition.Value}-{place.Offset.Value}";
        string id = topic.IsUnknown ? $"{place.Topic}-{offset}" : $"{place.Topic}-{topic}-{offset}";
        if (id.Length > CommandId.MaxBytes)
            id = topic.IsUnknown
                ? $"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(place.Topic)))}-{offset}"
                : $"{topic}-{offset}";
        return CommandId.Parse(id);
    }

    private static void ReadReplyTo(IncomingCommand.TopicPart origin, byte[]? value)
    {
        if (value is null || value.Length > IncomingCommand.MaxHandedOnBytes)
            return;
        int slash = value.AsSpan().IndexOf((byte)'/');
        if (CloudEventHeaders.TryDecodeNumber(slash < 0 ? value : value.AsSpan(0, slash), out long partition)
            && partition is >= 0 and <= int.MaxValue)
        {
            origin.ReplyPartition = (int)partition;
            origin.ReplyClient = slash < 0 ? null : value[(slash + 1)..];
        }
    }

    // Without key it is about a record that has no aggregate.
    private static void ReadRequest(IncomingCommand command, IncomingCommand.TopicPart origin, ConsumeResult<byte[], byte[]> record)
    {
        command.AggregateId = DeadLetterFormat.AggregateOf(record.Message.Key);
        if (!DeadLetterRequest.TryRead(record.Message.Headers, out DeadLetterRequest? request, out string error))
            origin.Fault = (InvalidHeader, error);
        origin.Request = request ?? new DeadLetterRequest(false, null, "", null);
        origin.Fault ??= ReadHeaders(command, origin, record.Message.Headers);
    }

    private static (string, string)? ReadKey(IncomingCommand command, IncomingCommand.TopicPart origin, byte[]? key)
    {
        origin.KeyText = key is null ? "" : Encoding.UTF8.GetString(key.AsSpan(0, Math.Min(key.Length, AggregateId.MaxBytes)));
        if (!RecordIds.TryReadAggregate(key, out AggregateId id, out string? error))
            return (InvalidKey, $"The record's key must be the aggregate id: {error}");
        command.AggregateId = id;
        return null;
    }

    private static (string, string)? ReadTimestamp(IncomingCommand command, Timestamp timestamp)
    {
        if (!IsTime(timestamp))
            return (InvalidTime, $"The record's timestamp is {timestamp.UnixTimestampMs} ms; it must be a time in the years 1 to 9999.");
        command.Time = DateTimeOffset.FromUnixTimeMilliseconds(timestamp.UnixTimestampMs);
        return null;
    }

    private static (string, string)? ReadHeaders(IncomingCommand command, IncomingCommand.TopicPart origin, Headers headers)
    {
        foreach ((string name, byte[]? value) in (ReadOnlySpan<(string, byte[]?)>)[(CloudEventHeaders.CorrelationId, command.CorrelationId),
            (CloudEventHeaders.TraceParent, command.TraceParent)])
        {
            if (value?.Length > IncomingCommand.MaxHandedOnBytes)
                return (InvalidHeader,
                    $"The header {name} has {value.Length} bytes; at most {IncomingCommand.MaxHandedOnBytes} are allowed.");
        }

        if (CloudEventHeaders.Find(headers, CloudEventHeaders.Id) is { } idBytes)
        {
            if (!RecordIds.TryDecode(idBytes, out string? text))
                return (InvalidHeader, $"The header {CloudEventHeaders.Id} must be the command id in UTF-8, and is not UTF-8.");
            if (!CommandId.TryParse(text, out CommandId id, out string? error))
                return (InvalidHeader, $"The header {CloudEventHeaders.Id} must be the command id: {error}");
            command.CommandId = id;
        }

        if (CloudEventHeaders.Find(headers, CloudEventHeaders.ExpectedVersion) is { } expectedBytes)
        {
            string text = Encoding.UTF8.GetString(expectedBytes);
            if (!ExpectedVersion.TryParse(text, out ExpectedVersion expected))
                return (InvalidHeader,
                    $"The header {CloudEventHeaders.ExpectedVersion} is '{text}'; it must be any, new, exists, or a whole number from 0.");
            command.Expected = expected;
        }

        if (CloudEventHeaders.Find(headers, CloudEventHeaders.Time) is { } timeBytes)
        {
            if (!CloudEventHeaders.TryDecodeTime(timeBytes, out DateTimeOffset time))
                return (InvalidHeader,
                    $"The header {CloudEventHeaders.Time} is '{Encoding.UTF8.GetString(timeBytes)}'; it must be a time as in RFC 3339, "
                        + $"such as 1993-07-31T12:00:00Z.");
            command.Time = time;
        }

        if (CloudEventHeaders.Find(headers, CloudEventHeaders.AnswerTo) is { } answerBytes)
        {
            if (!ReplyTarget.TryParse(answerBytes, out ReplyTarget? address))
                return (InvalidHeader,
                    $"The header {CloudEventHeaders.AnswerTo} is '{Encoding.UTF8.GetString(answerBytes)}'; it must be process/step/id.");
            origin.AnswerTo = address;
        }

        return null;
    }

    private static (string, string)? ReadValue(IncomingCommand command, Message<byte[], byte[]> message, AvroMessageSerde serde,
        AggregateDefinition definition)
    {
        try
        {
            IAvroRecord payload = serde.Decode(message.Value, CloudEventHeaders.Find(message.Headers, WireFormat.ValueSchemaIdHeader));
            if (!ProcessMessageCodec.TryDecode(payload, out object? decoded, out string? error))
                return (Undecodable, error);
            if (!definition.CommandTypes.Contains(decoded.GetType()))
                return (UnknownCommand,
                    $"The aggregate '{definition.Name}' does not decide {decoded.GetType().Name}; it "
                        + $"decides {string.Join(", ", definition.CommandTypes.Select(t => t.Name).Order(StringComparer.Ordinal))}.");
            command.Payload = decoded;
            command.Digest = CommandDigest.From(serde.TypeOf(payload.GetType()), payload, command.Expected, serde.Protection,
                command.AggregateId.IsDefault ? null : command.AggregateId.Value);
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
}
