using System.Text.Json.Nodes;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// A snapshot in Avro: a record around the state, whose schema is in it, so that anybody can read the topic who has the registry.
/// </summary>
internal sealed class SnapshotFormat
{
    /// <summary>The namespace of the records around states and totals.</summary>
    public const string Namespace = "KafkaEventSourcing.Streams";

    private readonly AvroRecordType _state;

    public SnapshotFormat(AggregateDefinition aggregate)
    {
        _state = RecordTypes.Of(aggregate.StateType);
        FullName = $"{Namespace}.{NameOf(aggregate.Name)}Snapshot";
        SchemaJson = SchemaOf(aggregate, _state);
    }

    /// <summary>The full name of the record.</summary>
    public string FullName { get; }

    /// <summary>Its schema.</summary>
    public string SchemaJson { get; }

    /// <summary>Writes <paramref name="snapshot"/> without framing.</summary>
    public static void Write(Snapshot snapshot, ref AvroWriter writer)
    {
        writer.WriteLong(snapshot.Version);
        writer.WriteInt(snapshot.Partition);
        writer.WriteLong(snapshot.Offset);
        writer.WriteLong(AvroTime.ToMicros(snapshot.Time));
        if (snapshot.Commands.Count > 0)
        {
            writer.WriteLong(snapshot.Commands.Count);
            foreach ((string id, long version, long offset, string digest) in snapshot.Commands)
            {
                writer.WriteString(id);
                writer.WriteLong(version);
                writer.WriteLong(offset);
                writer.WriteString(digest);
            }
        }

        writer.WriteLong(0);
        if (snapshot.Mark is { } mark)
        {
            writer.WriteLong(2);
            writer.WriteString(mark.EventsTopic);
            writer.WriteString(mark.SnapshotsTopic);
            writer.WriteLong(mark.FromOffset);
            writer.WriteInt(mark.RecentCommands);
            return;
        }

        if (snapshot.State is not IAvroRecord state)
        {
            writer.WriteLong(0);
            return;
        }

        writer.WriteLong(1);
        state.WriteTo(ref writer);
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="AvroDecodeException">The bytes are not such a value.</exception>
    public Snapshot Read(ReadOnlySpan<byte> data)
    {
        var reader = new AvroReader(data);
        long version = reader.ReadLong();
        int partition = reader.ReadInt();
        long offset = reader.ReadLong();
        DateTimeOffset time = AvroTime.FromMicros(reader.ReadLong());
        SnapshotCommand[] commands = [];
        for (int count = reader.ReadBlockCount(); count > 0; count = reader.ReadBlockCount())
        {
            int at = commands.Length;
            Array.Resize(ref commands, at + count);
            for (; at < commands.Length; at++)
                commands[at] = new SnapshotCommand(reader.ReadString(), reader.ReadLong(), reader.ReadLong(), reader.ReadString());
        }

        int kind = reader.ReadIndex(3);
        object? state = kind == 1 ? _state.Read(data[reader.Position..]) : null;
        SnapshotMark? mark = kind == 2
            ? new SnapshotMark(reader.ReadString(), reader.ReadString(), reader.ReadLong(), reader.ReadInt())
            : null;
        return new Snapshot
        {
            Version = version, Partition = partition, Offset = offset, Time = time, Commands = commands, State = state, Mark = mark,
        };
    }

    /// <summary>The name of an aggregate type, or of a part of a definition, as the beginning of a record's name.</summary>
    public static string NameOf(string name) =>
        string.Concat(name.Split('-', StringSplitOptions.RemoveEmptyEntries).Select(p => char.ToUpperInvariant(p[0]) + p[1..]));

    private static string SchemaOf(AggregateDefinition aggregate, AvroRecordType state) => new JsonObject
    {
        ["type"] = "record",
        ["name"] = $"{NameOf(aggregate.Name)}Snapshot",
        ["namespace"] = Namespace,
        ["doc"] = $"An aggregate '{aggregate.Name}' as of its last event. The key is the aggregate id.",
        ["fields"] = new JsonArray(
            Field("Version", "long", "The aggregate's version."),
            Field("EventPartition", "int", "The partition of its events."),
            Field("EventOffset", "long", "The offset of its last event."),
            Field("Time", new JsonObject { ["type"] = "long", ["logicalType"] = "timestamp-micros" },
                "When the command of its last event was created."),
            Field("RecentCommands", new JsonObject
            {
                ["type"] = "array",
                ["items"] = new JsonObject
                {
                    ["type"] = "record",
                    ["name"] = "SnapshotCommand",
                    ["fields"] = new JsonArray(
                        Field("CommandId", "string", "The command id."),
                        Field("Version", "long", "The aggregate's version after it."),
                        Field("EventOffset", "long", "The offset of its last event."),
                        Field("Digest", "string", "What the command was, as a node compares it; empty: it is not known.")),
                },
            }, "The last commands that led to events, oldest first."),
            Field("State", new JsonArray("null", RecordTypes.Embedded(state), Mark()),
                "The state. Keys that begin with a zero byte have others: null says that aggregates were dropped up to this event.")),
    }.ToJsonString();

    private static JsonObject Mark() => new()
    {
        ["type"] = "record",
        ["name"] = "SnapshotMark",
        ["doc"] = "The snapshots before it in its partition have all events up to its own, or later ones.",
        ["fields"] = new JsonArray(
            Field("EventsTopic", "string", "The id of the events topic; empty when brokers have no topic ids."),
            Field("SnapshotsTopic", "string", "The id of this topic, likewise."),
            Field("FromOffset", "long", "The offset of the first event that was folded."),
            Field("RecentCommands", "int", "How many commands snapshots remember, at least.")),
    };

    private static JsonObject Field(string name, JsonNode type, string doc) => new() { ["name"] = name, ["type"] = type, ["doc"] = doc };
}
