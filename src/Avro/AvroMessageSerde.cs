using System.Buffers;
using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// Encodes and decodes messages of several types in Confluent's wire format. Values that were written with our own schema take generated
/// code; for those of other versions code is made by Avro's schema resolution, once for each. Thread-safe.
/// </summary>
public sealed class AvroMessageSerde
{
    private const int MaxUndecodableIds = 10_000;

    private readonly ISchemaRegistryClient? _registry; // null: it reads only
    private readonly IWriterSchemas _schemas;
    private readonly FrozenDictionary<Type, AvroRecordType> _byType;
    private readonly FrozenDictionary<string, AvroRecordType> _byName;
    private readonly ILookup<string, AvroRecordType> _byAlias;
    private readonly ConcurrentDictionary<int, Decoder> _decoders = [];
    private readonly ConcurrentDictionary<Guid, Decoder> _byGuid = [];
    private readonly ConcurrentDictionary<int, UndecodableMessageException> _undecodable = [];
    private readonly ConcurrentDictionary<Guid, UndecodableMessageException> _undecodableGuids = [];
    private readonly ConcurrentDictionary<int, string> _typeNames = [];

    private readonly bool _isSealedElsewhere;

    private AvroMessageSerde(ISchemaRegistryClient? registry, IWriterSchemas schemas, IEnumerable<AvroRecordType> types,
        IFieldProtection? protection = null, bool isSealedElsewhere = false)
    {
        (_registry, _schemas, Protection, _isSealedElsewhere) = (registry, schemas, protection, isSealedElsewhere);
        _byType = types.DistinctBy(t => t.Type).ToFrozenDictionary(t => t.Type);
        _byName = _byType.Values.ToFrozenDictionary(t => t.FullName);
        _byAlias = _byType.Values.SelectMany(t => t.Parsed.Aliases.Distinct().Select(alias => (alias, Type: t)))
            .Where(former => !_byName.ContainsKey(former.alias)) // who has the name now is meant
            .ToLookup(former => former.alias, former => former.Type);
    }

    /// <summary>
    /// A serde of <paramref name="types"/>, with schema ids from <paramref name="registry"/>; it knows the engine's own messages besides.
    /// </summary>
    public static AvroMessageSerde Create(ISchemaRegistryClient registry, IEnumerable<AvroRecordType> types) =>
        new(registry, new RegisteredSchemas(registry), WithOwn(types));

    /// <summary>The same, of types with fields that are tagged as personal: they are sealed and opened with
    /// <paramref name="protection"/>.</summary>
    public static AvroMessageSerde Create(ISchemaRegistryClient registry, IEnumerable<AvroRecordType> types,
        IFieldProtection? protection) => new(registry, new RegisteredSchemas(registry), WithOwn(types), protection);

    /// <summary>
    /// A serde to which what is sealed is a text like another: it neither seals nor opens, for those that pass on what is sealed already.
    /// </summary>
    public static AvroMessageSerde CreateForSealed(ISchemaRegistryClient registry, IEnumerable<AvroRecordType> types) =>
        new(registry, new RegisteredSchemas(registry), WithOwn(types), isSealedElsewhere: true);

    /// <summary>A serde that only reads, with schemas from <paramref name="schemas"/>.</summary>
    internal static AvroMessageSerde Reading(IWriterSchemas schemas, IEnumerable<AvroRecordType> types) =>
        new(null, schemas, WithOwn(types));

    private static IEnumerable<AvroRecordType> WithOwn(IEnumerable<AvroRecordType> types) =>
        types.Concat([AvroRecordType.Of<CommandReply>(), AvroRecordType.Of<AggregateSnapshot>(),
            AvroRecordType.Of<SnapshotBarrier>(), AvroRecordType.Of<PartitionPosition>(), AvroRecordType.Of<PartitionOwner>(),
            AvroRecordType.Of<CommandAnswered>(), AvroRecordType.Of<Messages.TimerElapsed>()]);

    /// <summary>What seals and opens personal fields; null: nothing does.</summary>
    internal IFieldProtection? Protection { get; }

    private ISchemaRegistryClient Registry => _registry ?? throw new InvalidOperationException("A serde that only reads has no registry.");

    /// <summary>The type that <paramref name="type"/> was declared as.</summary>
    /// <exception cref="InvalidOperationException">It was not declared.</exception>
    public AvroRecordType TypeOf(Type type) =>
        _byType.TryGetValue(type, out AvroRecordType? known)
            ? known
            : throw new InvalidOperationException($"{type.Name} is not a message type of this application.");

    /// <summary>
    /// Registers the schemas of <paramref name="types"/> for <paramref name="topic"/> (subjects <c>topic-record</c>, Confluent's
    /// TopicRecordNameStrategy) and returns what encodes for it.
    /// </summary>
    /// <exception cref="SchemaRefusedException">The registry refuses a schema, such as an incompatible one.</exception>
    /// <exception cref="SchemaRegistryException">The registry fails.</exception>
    public async Task<TopicEncoder> PrepareAsync(string topic, IEnumerable<Type> types, CancellationToken cancellationToken = default)
    {
        var ids = new Dictionary<Type, int>();
        foreach (Type type in types)
        {
            cancellationToken.ThrowIfCancellationRequested();
            AvroRecordType record = TypeOf(type);
            if (record.IsPersonal && Protection is null && !_isSealedElsewhere)
                throw new InvalidOperationException($"{record.FullName} has fields that are tagged as personal, which are not written in "
                    + $"plain text: give the serde the keys that seal them.");
            int id = await Register($"{topic}-{record.FullName}", record).ConfigureAwait(false);
            _decoders[id] = new Decoder(record, record.ReaderOf(record.Parsed), $"schema {id}");
            ids.Add(type, id);
        }

        return new TopicEncoder(topic, ids.ToFrozenDictionary(), Protection);
    }

    /// <summary>
    /// The types that the registry has for <paramref name="topic"/> (subjects <c>topic-record</c>) and that have a schema whose values
    /// cannot be decoded as one of <paramref name="known"/>: they were renamed or removed, or an old schema of theirs does not resolve.
    /// Every version of every subject is asked for, also of the types that are known.
    /// </summary>
    /// <exception cref="SchemaRegistryException">The registry does not tell its subjects.</exception>
    /// <exception cref="HttpRequestException">The registry cannot be reached.</exception>
    public async Task<IReadOnlyList<UnknownMessageType>> FindUnknownTypesAsync(
        string topic, IReadOnlyCollection<Type> known, CancellationToken cancellationToken = default)
    {
        string prefix = topic + "-";
        var unknown = new List<UnknownMessageType>();
        foreach (string subject in (await Registry.GetAllSubjectsAsync().ConfigureAwait(false)).Where(s =>
            s.StartsWith(prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            var reasons = new SortedDictionary<int, string>();
            foreach (int version in await Registry.GetSubjectVersionsAsync(subject).ConfigureAwait(false))
            {
                cancellationToken.ThrowIfCancellationRequested();
                int id = (await Registry.GetRegisteredSchemaAsync(subject, version).ConfigureAwait(false)).Id;
                if (WhyUnknown(id, known) is { } why)
                    reasons[id] = why;
            }

            if (reasons.Count > 0)
                unknown.Add(new UnknownMessageType(subject[prefix.Length..], [.. reasons.Keys]) { Reasons = reasons });
        }

        return unknown;
    }

    private async Task<int> Register(string subject, AvroRecordType record)
    {
        try
        {
            return await Registry.RegisterSchemaAsync(subject, new Schema(record.SchemaJson, SchemaType.Avro)).ConfigureAwait(false);
        }
        catch (SchemaRegistryException refused) when (refused.Status is System.Net.HttpStatusCode.Conflict
            or System.Net.HttpStatusCode.UnprocessableEntity)
        {
            throw new SchemaRefusedException(subject,
                $"The Schema Registry does not take the schema of {record.FullName} under the subject '{subject}': {refused.Message} "
                    + $"Change the schema so that both sides can read one another's messages, such as by a default for a new field.",
                    refused);
        }
    }

    /// <summary>
    /// Decodes a message. An id that was not seen before is looked up in the registry, which blocks the calling thread once per id.
    /// </summary>
    /// <param name="message">The value of a record.</param>
    /// <param name="schemaId">The value of the record's header <see cref="WireFormat.ValueSchemaIdHeader"/>; empty when it has none and the
    /// id comes first in the message.</param>
    /// <exception cref="UndecodableMessageException">The message can never be decoded; its reason tells why.</exception>
    /// <exception cref="HttpRequestException">The registry cannot be reached; trying again may help.</exception>
    public IAvroRecord Decode(ReadOnlySpan<byte> message, ReadOnlySpan<byte> schemaId = default)
    {
        ReadOnlySpan<byte> name = schemaId.IsEmpty ? message : schemaId;
        if (WireFormat.TryReadSchemaId(name, out int id) && (schemaId.IsEmpty || schemaId.Length == WireFormat.HeaderLength))
            return Decode(_decoders.TryGetValue(id, out Decoder? known) ? known : Learn(id),
                schemaId.IsEmpty ? message[WireFormat.HeaderLength..] : message);
        if (WireFormat.TryReadSchemaGuid(name, out Guid guid) && (schemaId.IsEmpty || schemaId.Length == WireFormat.GuidHeaderLength))
            return Decode(_byGuid.TryGetValue(guid, out Decoder? known) ? known : Learn(guid),
                schemaId.IsEmpty ? message[WireFormat.GuidHeaderLength..] : message);
        throw new UndecodableMessageException(UndecodableReason.NotAvro, schemaId.IsEmpty
            ? "The value is not in Confluent's Avro wire format: a zero byte and a schema id of four bytes must come first, or a one and "
                + "a GUID of sixteen."
            : $"The header {WireFormat.ValueSchemaIdHeader} has {schemaId.Length} bytes; it must be a zero byte and a schema id of four "
                + $"bytes, or a one and a GUID of sixteen.");
    }

    /// <summary>
    /// How values of the schema of <paramref name="message"/> are read; the schema is looked up in the registry each time, and the call
    /// blocks.
    /// </summary>
    /// <param name="message">The value of a record.</param>
    /// <param name="schemaId">The value of the record's header <see cref="WireFormat.ValueSchemaIdHeader"/>; empty when it has
    /// none.</param>
    /// <exception cref="HttpRequestException">The registry cannot be reached.</exception>
    public SchemaReading ReadingOf(ReadOnlySpan<byte> message, ReadOnlySpan<byte> schemaId = default)
    {
        ReadOnlySpan<byte> name = schemaId.IsEmpty ? message : schemaId;
        return WireFormat.TryReadSchemaId(name, out int id)
            ? ReadingOf(id.ToString(CultureInfo.InvariantCulture), () => _schemas.Find(id))
            : WireFormat.TryReadSchemaGuid(name, out Guid guid)
            ? ReadingOf(guid.ToString(), () => _schemas.Find(guid))
            : new SchemaReading("-", "(unknown)", null, false, [], ["The value is not in Confluent's Avro wire format."]);
    }

    private SchemaReading ReadingOf(string schema, Func<Task<AvroSchema>> find)
    {
        try
        {
            AvroSchema writer = find().GetAwaiter().GetResult();
            return SchemaReading.Of(schema, writer,
                writer is RecordSchema record && TryFind(record, out AvroRecordType? type) ? type.Parsed : null);
        }
        catch (UndecodableMessageException unknown)
        {
            return new SchemaReading(schema, "(unknown)", null, false, [], [unknown.Message]);
        }
    }

    /// <summary>
    /// The full name of the type that <paramref name="message"/> was written as, whether it can be decoded here or not; null: it does not
    /// begin with the id of a schema. An id that was not seen before is looked up in the registry, which blocks the calling thread once per
    /// id.
    /// </summary>
    /// <exception cref="UndecodableMessageException">The registry does not have the schema, or it is not one of Avro.</exception>
    /// <exception cref="HttpRequestException">The registry cannot be reached; trying again may help.</exception>
    public string? TypeNameOf(ReadOnlySpan<byte> message)
    {
        if (!WireFormat.TryReadSchemaId(message, out int id))
            return null;
        if (_typeNames.TryGetValue(id, out string? known))
            return known;
        AvroSchema writer = _schemas.Find(id).GetAwaiter().GetResult();
        return _typeNames.GetOrAdd(id, (writer as NamedSchema)?.FullName ?? writer.ToString()!);
    }

    /// <summary>The schema of an id; it is looked up in the registry each time, and the call blocks.</summary>
    /// <exception cref="UndecodableMessageException">The registry does not have it, or it is not one of Avro.</exception>
    /// <exception cref="HttpRequestException">The registry cannot be reached; trying again may help.</exception>
    internal AvroSchema SchemaOf(int id) => _schemas.Find(id).GetAwaiter().GetResult();

    private IAvroRecord Decode(Decoder decoder, ReadOnlySpan<byte> value)
    {
        try
        {
            return decoder.Decode(value, Protection);
        }
        catch (SchemaMismatchException mismatch)
        {
            throw new UndecodableMessageException(UndecodableReason.IncompatibleSchema,
                $"The value of {decoder.Schema} cannot be read as {decoder.FullName}: {mismatch.Message}", mismatch);
        }
        catch (AvroDecodeException malformed)
        {
            throw new UndecodableMessageException(UndecodableReason.Malformed,
                $"The value is not a {decoder.FullName} of {decoder.Schema}: {malformed.Message}", malformed);
        }
    }

    // Null: its values are decoded as one of them.
    private string? WhyUnknown(int id, IReadOnlyCollection<Type> known)
    {
        try
        {
            Decoder decoder = _decoders.TryGetValue(id, out Decoder? learned) ? learned : Learn(id);
            return known.Contains(decoder.Decodes) ? null : $"The schema {id} is read as {decoder.FullName}, which is not expected there.";
        }
        catch (UndecodableMessageException undecodable)
        {
            return undecodable.Message;
        }
    }

    // Once per schema, on a thread that may block.
    private Decoder Learn(int id) => Learn(id, _decoders, _undecodable, $"schema {id}", () => _schemas.Find(id).GetAwaiter().GetResult());

    private Decoder Learn(Guid guid) => Learn(guid, _byGuid, _undecodableGuids, $"schema {guid}",
        () => _schemas.Find(guid).GetAwaiter().GetResult());

    private Decoder Learn<TKey>(
        TKey key, ConcurrentDictionary<TKey, Decoder> decoders, ConcurrentDictionary<TKey, UndecodableMessageException> undecodable,
        string name, Func<AvroSchema> find)
        where TKey : notnull
    {
        if (undecodable.TryGetValue(key, out UndecodableMessageException? known))
            throw new UndecodableMessageException(known.Reason, known.Message, known);
        try
        {
            return decoders.GetOrAdd(key, DecoderOf(name, find()));
        }
        catch (UndecodableMessageException learned) when (learned.Reason != UndecodableReason.UnknownSchemaId)
        {
            if (undecodable.Count < MaxUndecodableIds)
                undecodable[key] = learned;
            throw;
        }
    }

    private Decoder DecoderOf(string name, AvroSchema writer)
    {
        if (writer is not RecordSchema record || !TryFind(record, out AvroRecordType? ours))
            throw new UndecodableMessageException(UndecodableReason.UnknownType,
                $"The {name} is of the type {(writer as NamedSchema)?.FullName ?? writer.ToString()}, which is not declared here.");
        try
        {
            return new Decoder(ours, ours.ReaderOf(record), name);
        }
        catch (SchemaMismatchException mismatch)
        {
            throw new UndecodableMessageException(UndecodableReason.IncompatibleSchema,
                $"The {name} cannot be read as {ours.FullName}: {mismatch.Message}", mismatch);
        }
    }

    // By its name, or by one that it had. A name that several types give as theirs of before is nobody's.
    private bool TryFind(RecordSchema writer, [NotNullWhen(true)] out AvroRecordType? ours)
    {
        if (_byName.TryGetValue(writer.FullName, out ours))
            return true;
        AvroRecordType[] former = [.. _byAlias[writer.FullName]];
        ours = former.Length == 1 ? former[0] : null;
        return ours is not null;
    }

    private sealed class Decoder(AvroRecordType type, AvroRead read, string schema)
    {
        public string FullName => type.FullName;

        public Type Decodes => type.Type;

        public string Schema => schema;

        public IAvroRecord Decode(ReadOnlySpan<byte> value, IFieldProtection? protection) =>
            AvroRecordType.Read(value, read, protection);
    }
}
