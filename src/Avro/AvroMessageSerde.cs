using System.Buffers;
using System.Collections.Concurrent;
using System.Collections.Frozen;
using Avro.IO;
using Avro.Specific;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// Encodes and decodes messages of several types in Confluent's wire format. Values that were written with our own schema take generated code; values of other versions
/// go through Avro's schema resolution. Thread-safe.
/// </summary>
public sealed class AvroMessageSerde
{
    private const int MaxUnknownIds = 10_000;
    private const int SchemaNotFound = 40403;

    private readonly ISchemaRegistryClient _registry;
    private readonly FrozenDictionary<Type, AvroRecordType> _byType;
    private readonly FrozenDictionary<string, AvroRecordType> _byName;
    private readonly ConcurrentDictionary<int, Decoder> _decoders = [];
    private readonly ConcurrentDictionary<int, string> _undecodable = [];

    private AvroMessageSerde(ISchemaRegistryClient registry, IEnumerable<AvroRecordType> types)
    {
        _registry = registry;
        _byType = types.DistinctBy(t => t.Type).ToFrozenDictionary(t => t.Type);
        _byName = _byType.Values.ToFrozenDictionary(t => t.FullName);
    }

    /// <summary>A serde of <paramref name="types"/>, with schema ids from <paramref name="registry"/>; it knows the engine's own messages besides.</summary>
    public static AvroMessageSerde Create(ISchemaRegistryClient registry, IEnumerable<AvroRecordType> types) =>
        new(registry, types.Concat([AvroRecordType.Of<CommandReply>(), AvroRecordType.Of<AggregateSnapshot>(), AvroRecordType.Of<SnapshotBarrier>(), AvroRecordType.Of<PartitionPosition>(), AvroRecordType.Of<PartitionOwner>(), AvroRecordType.Of<CommandAnswered>(), AvroRecordType.Of<TimerElapsed>()]));

    /// <summary>The type that <paramref name="type"/> was declared as.</summary>
    /// <exception cref="InvalidOperationException">It was not declared.</exception>
    public AvroRecordType TypeOf(Type type) =>
        _byType.TryGetValue(type, out AvroRecordType? known) ? known : throw new InvalidOperationException($"{type.Name} is not a message type of this application.");

    /// <summary>
    /// Registers the schemas of <paramref name="types"/> for <paramref name="topic"/> (subjects <c>topic-record</c>, Confluent's TopicRecordNameStrategy) and returns what
    /// encodes for it.
    /// </summary>
    /// <exception cref="SchemaRegistryException">The registry refuses a schema, such as an incompatible one.</exception>
    public async Task<TopicEncoder> Prepare(string topic, IEnumerable<Type> types, CancellationToken cancellationToken)
    {
        var ids = new Dictionary<Type, int>();
        foreach (Type type in types)
        {
            cancellationToken.ThrowIfCancellationRequested();
            AvroRecordType record = TypeOf(type);
            int id = await _registry.RegisterSchemaAsync($"{topic}-{record.FullName}", new Schema(record.SchemaJson, SchemaType.Avro)).ConfigureAwait(false);
            _decoders[id] = new GeneratedDecoder(record);
            ids.Add(type, id);
        }

        return new TopicEncoder(topic, ids.ToFrozenDictionary());
    }

    /// <summary>
    /// Decodes a message. An id that was not seen before is looked up in the registry, which blocks the calling thread once per id.
    /// </summary>
    /// <exception cref="UndecodableMessageException">The message can never be decoded; its reason tells why.</exception>
    /// <exception cref="HttpRequestException">The registry cannot be reached; trying again may help.</exception>
    public IAvroRecord Decode(ReadOnlySpan<byte> message)
    {
        if (!WireFormat.TryReadSchemaId(message, out int id))
            throw new UndecodableMessageException(UndecodableReason.NotAvro, "The value is not in Confluent's Avro wire format: a zero byte and a schema id of four bytes must come first.");
        if (!_decoders.TryGetValue(id, out Decoder? decoder))
            decoder = Learn(id);
        try
        {
            return decoder.Decode(message[WireFormat.HeaderLength..]);
        }
        catch (Exception malformed) when (malformed is AvroDecodeException or global::Avro.AvroException or IndexOutOfRangeException or OverflowException)
        {
            throw new UndecodableMessageException(UndecodableReason.Malformed, $"The value is not a {decoder.FullName} of schema {id}: {malformed.Message}", malformed);
        }
    }

    private Decoder Learn(int id)
    {
        if (_undecodable.TryGetValue(id, out string? known))
            throw new UndecodableMessageException(UndecodableReason.UnknownType, known);
        Schema registered;
        try
        {
            registered = _registry.GetSchemaAsync(id).GetAwaiter().GetResult(); // once per id, on a thread that may block
        }
        catch (SchemaRegistryException unknown) when (unknown.ErrorCode == SchemaNotFound)
        {
            throw new UndecodableMessageException(UndecodableReason.UnknownSchemaId, $"The Schema Registry has no schema with the id {id}.", unknown);
        }
        catch (Exception away) when (away is HttpRequestException or SchemaRegistryException or TimeoutException or OperationCanceledException)
        {
            // Refused connections, 5xx, refused credentials, and the HTTP client's time limit, which it tells as a cancellation: none says anything of the message.
            throw new HttpRequestException($"The Schema Registry did not tell the schema {id}: {away.Message}", away);
        }

        Decoder decoder;
        try
        {
            var writer = global::Avro.Schema.Parse(registered.SchemaString);
            if (writer is not global::Avro.RecordSchema record || !TryFind(record, out AvroRecordType? ours))
            {
                string message = $"The schema {id} is of the type {writer.Fullname}, which is not declared here.";
                if (_undecodable.Count < MaxUnknownIds)
                    _undecodable[id] = message;
                throw new UndecodableMessageException(UndecodableReason.UnknownType, message);
            }

            decoder = record.Equals(ours.Schema) ? new GeneratedDecoder(ours) : new ResolvingDecoder(record, ours);
        }
        catch (global::Avro.AvroException unusable)
        {
            throw new UndecodableMessageException(UndecodableReason.IncompatibleSchema, $"The schema {id} cannot be read: {unusable.Message}", unusable);
        }

        return _decoders.GetOrAdd(id, decoder);
    }

    private bool TryFind(global::Avro.RecordSchema writer, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out AvroRecordType? ours) =>
        _byName.TryGetValue(writer.Fullname, out ours);

    private abstract class Decoder(AvroRecordType type)
    {
        public string FullName => Type.FullName;

        protected AvroRecordType Type { get; } = type;

        public abstract IAvroRecord Decode(ReadOnlySpan<byte> value);
    }

    private sealed class GeneratedDecoder(AvroRecordType type) : Decoder(type)
    {
        public override IAvroRecord Decode(ReadOnlySpan<byte> value) => Type.Read(value);
    }

    private sealed class ResolvingDecoder(global::Avro.RecordSchema writer, AvroRecordType type) : Decoder(type)
    {
        private readonly SpecificDefaultReader _reader = new(writer, type.Schema);

        public override IAvroRecord Decode(ReadOnlySpan<byte> value)
        {
            AvroWellFormed.Check(writer, value);
            using var stream = new MemoryStream(value.ToArray(), writable: false);
            return (IAvroRecord)_reader.Read<object?>(null, new BinaryDecoder(stream))!;
        }
    }
}

/// <summary>Encodes messages for one topic. Immutable and thread-safe.</summary>
public sealed class TopicEncoder
{
    private readonly FrozenDictionary<Type, int> _ids;

    internal TopicEncoder(string topic, FrozenDictionary<Type, int> ids) => (Topic, _ids) = (topic, ids);

    /// <summary>The topic.</summary>
    public string Topic { get; }

    /// <summary>Writes <paramref name="value"/> with its header to <paramref name="output"/>. Allocates nothing besides what the buffer does.</summary>
    /// <exception cref="InvalidOperationException">The type of the value was not prepared for this topic.</exception>
    public void Encode(IAvroRecord value, IBufferWriter<byte> output)
    {
        if (!_ids.TryGetValue(value.GetType(), out int id))
            throw new InvalidOperationException($"{value.GetType().Name} is not a message type of the topic {Topic}.");
        WireFormat.WriteHeader(output, id);
        var writer = new AvroWriter(output);
        value.WriteTo(ref writer);
        writer.Flush();
    }
}
