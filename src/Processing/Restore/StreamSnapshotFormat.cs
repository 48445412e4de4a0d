using System.Globalization;
using System.Text;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Schemas;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Reads snapshots of event streams by the schema that they were written with: fields are known by their names, and what else a value has
/// is read past. The library that writes them is not known here, the form of its topic is. Not thread-safe.
/// </summary>
/// <param name="schemaOf">The schema of an id; it may ask the registry, and block.</param>
internal sealed class StreamSnapshotFormat(Func<int, AvroSchema> schemaOf)
{
    /// <summary>The full name of the record that a mark has in the place of a state.</summary>
    public const string MarkName = "KafkaEventSourcing.Streams.SnapshotMark";

    private readonly Dictionary<int, RecordSchema> _schemas = [];
    private readonly Dictionary<RecordSchema, string> _fingerprints = [];

    /// <summary>The key of marks. No aggregate id starts with a control character.</summary>
    public static byte[] MarkKey { get; } = [0, .. "mark"u8];

    /// <summary>The key that says that aggregates were dropped from the topic.</summary>
    public static byte[] DroppedKey { get; } = [0, .. "dropped"u8];

    /// <summary>The snapshot or mark in <paramref name="value"/>.</summary>
    /// <exception cref="InvalidDataException">It is neither.</exception>
    /// <exception cref="AvroDecodeException">It is not of the schema that it names.</exception>
    /// <exception cref="UndecodableMessageException">The registry does not have its schema.</exception>
    /// <exception cref="HttpRequestException">The registry cannot be reached; trying again may help.</exception>
    public StreamSnapshot Read(ReadOnlySpan<byte> value)
    {
        if (!WireFormat.TryReadSchemaId(value, out int id))
            throw new InvalidDataException("The value is not in Confluent's wire format.");
        if (!_schemas.TryGetValue(id, out RecordSchema? schema))
            _schemas[id] = schema = schemaOf(id) as RecordSchema ?? throw new InvalidDataException($"The schema {id} is not of a record.");
        ReadOnlySpan<byte> data = value[WireFormat.HeaderLength..];
        var reader = new AvroReader(data);
        var found = new Dictionary<string, long>();
        IReadOnlyList<RememberedOutcome>? commands = null;
        (string? Schema, byte[] State, StreamMark? Mark)? state = null;
        foreach (SchemaField field in schema.Fields)
        {
            switch (field)
            {
                case { Name: "RecentCommands", Schema: ArraySchema { Items: RecordSchema items } }:
                    commands = ReadCommands(ref reader, items);
                    break;
                case { Name: "State", Schema: UnionSchema union }:
                    state = ReadState(ref reader, data, union.Branches[reader.ReadIndex(union.Branches.Count)]);
                    break;
                default:
                    ReadNumber(ref reader, field, found);
                    break;
            }
        }

        if (commands is null || state is not { } kept || !found.TryGetValue("Version", out long version)
            || !found.TryGetValue("EventPartition", out long partition) || !found.TryGetValue("EventOffset", out long offset))
            throw new InvalidDataException($"{schema.FullName} is not a snapshot of event streams: it must have Version, EventPartition, "
                + "EventOffset, RecentCommands and State.");
        return new StreamSnapshot(version, (int)partition, offset, commands, kept.Schema, kept.State, kept.Mark);
    }

    /// <summary>
    /// How snapshots of the schema <paramref name="id"/> are read where states are of <paramref name="state"/>: those whose state has
    /// another schema are read as nothing, as their aggregates are folded.
    /// </summary>
    /// <exception cref="UndecodableMessageException">The registry does not have the schema.</exception>
    /// <exception cref="HttpRequestException">The registry cannot be reached; trying again may help.</exception>
    public SchemaReading ReadingOf(int id, AvroRecordType state)
    {
        string schema = id.ToString(CultureInfo.InvariantCulture);
        AvroSchema writer = schemaOf(id);
        string name = (writer as NamedSchema)?.FullName ?? writer.ToString()!;
        if ((writer as RecordSchema)?.Fields.FirstOrDefault(f => f.Name == "State")?.Schema is not UnionSchema union
            || union.Branches.OfType<RecordSchema>().FirstOrDefault(b => b.FullName != MarkName) is not { } written)
            return new SchemaReading(schema, name, null, false, [], [$"{name} is not a snapshot of event streams"]);
        if (SchemaFingerprint.Of(written) == state.Fingerprint)
            return new SchemaReading(schema, name, name, true, [], []);
        var reading = SchemaReading.Of(schema, written, state.Parsed);
        return new SchemaReading(schema, name, null, false,
            [$"the state, {written.FullName}, has another schema", .. reading.Differences, .. reading.Problems], []);
    }

    private static void ReadNumber(ref AvroReader reader, SchemaField field, Dictionary<string, long> found)
    {
        if (field.Schema.Kind is SchemaKind.Long or SchemaKind.Int)
            found[field.Name] = field.Schema.Kind == SchemaKind.Int ? reader.ReadInt() : reader.ReadLong();
        else
            AvroSkip.Skip(ref reader, field.Schema);
    }

    private static List<RememberedOutcome> ReadCommands(ref AvroReader reader, RecordSchema items)
    {
        var commands = new List<RememberedOutcome>();
        var numbers = new Dictionary<string, long>();
        for (int count = reader.ReadBlockCount(); count > 0; count = reader.ReadBlockCount())
        {
            for (int left = count; left > 0; left--)
                commands.Add(ReadCommand(ref reader, items, numbers));
        }

        return commands;
    }

    private static RememberedOutcome ReadCommand(ref AvroReader reader, RecordSchema schema, Dictionary<string, long> numbers)
    {
        numbers.Clear();
        string? id = null;
        CommandDigest digest = default;
        foreach (SchemaField field in schema.Fields)
        {
            if (field is { Name: "CommandId", Schema.Kind: SchemaKind.String })
                id = reader.ReadString();
            else if (field is { Name: "Digest", Schema.Kind: SchemaKind.String })
                digest = CommandDigest.Parse(reader.ReadSpan());
            else
                ReadNumber(ref reader, field, numbers);
        }

        return id is not null && numbers.TryGetValue("Version", out long version) && numbers.TryGetValue("EventOffset", out long offset)
            ? new RememberedOutcome(id, new CommandOutcome(OutcomeKind.Accepted, version, offset), digest)
            : throw new InvalidDataException($"{schema.FullName} must have CommandId, Version and EventOffset.");
    }

    private (string? Schema, byte[] State, StreamMark? Mark) ReadState(ref AvroReader reader, ReadOnlySpan<byte> data, AvroSchema branch)
    {
        if (branch is RecordSchema { FullName: MarkName } mark)
            return (null, [], ReadMark(ref reader, mark));
        int start = reader.Position;
        AvroSkip.Skip(ref reader, branch);
        return branch switch
        {
            RecordSchema state => (FingerprintOf(state), data[start..reader.Position].ToArray(), null),
            { Kind: SchemaKind.Null } => (null, [], null),
            _ => throw new InvalidDataException($"A state is a record, not {branch}."),
        };
    }

    private static StreamMark ReadMark(ref AvroReader reader, RecordSchema schema)
    {
        var numbers = new Dictionary<string, long>();
        var topics = new Dictionary<string, TopicId>();
        foreach (SchemaField field in schema.Fields)
        {
            if (field.Schema.Kind != SchemaKind.String)
                ReadNumber(ref reader, field, numbers);
            else if (TopicId.TryParse(reader.ReadSpan(), out TopicId topic))
                topics[field.Name] = topic;
        }

        return topics.TryGetValue("EventsTopic", out TopicId events) && topics.TryGetValue("SnapshotsTopic", out TopicId snapshots)
            && numbers.TryGetValue("FromOffset", out long from) && numbers.TryGetValue("RecentCommands", out long remembered)
            ? new StreamMark(events, snapshots, from, (int)remembered)
            : throw new InvalidDataException($"{schema.FullName} must have EventsTopic, SnapshotsTopic, FromOffset and RecentCommands.");
    }

    private string FingerprintOf(RecordSchema state)
    {
        if (!_fingerprints.TryGetValue(state, out string? fingerprint))
            _fingerprints[state] = fingerprint = SchemaFingerprint.Of(state);
        return fingerprint;
    }
}
