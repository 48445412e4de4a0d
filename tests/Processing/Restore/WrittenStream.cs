using System.Buffers;
using System.Text;
using System.Text.Json.Nodes;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Processing.Tests;

/// <summary>A topic with snapshots as event streams keep them, written by hand: what is here is the form that a node relies on.</summary>
internal sealed class WrittenStream : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    private readonly KafkaConnection _kafka;
    private readonly ISchemaRegistryClient _registry;
    private readonly int _schemaId;
    private IProducer<byte[], byte[]> _producer;

    private WrittenStream(KafkaConnection kafka, ISchemaRegistryClient registry, string topic, int schemaId)
    {
        (_kafka, _registry, Topic, _schemaId) = (kafka, registry, topic, schemaId);
        _producer = Start();
    }

    public string Topic { get; }

    public static async Task<WrittenStream> CreateAsync(KafkaConnection kafka, ISchemaRegistryClient registry,
        AvroRecordType? state = null)
    {
        string topic = TestServers.UniqueName("streams-counter-snapshots-changelog");
        using (IAdminClient admin = new AdminClientBuilder(kafka.Admin()).Build())
            await admin.CreateTopicsAsync([new Confluent.Kafka.Admin.TopicSpecification
            {
                Name = topic, NumPartitions = 1, Configs = new Dictionary<string, string> { ["cleanup.policy"] = "compact" },
            }]);
        int id = await registry.RegisterSchemaAsync($"{topic}-snapshot", new Schema(SchemaOf(state ?? Counter.State), SchemaType.Avro));
        return new WrittenStream(kafka, registry, topic, id);
    }

    /// <summary>Ends without a word, in the middle of a transaction if one is open; another process takes over.</summary>
    public void Kill()
    {
        _producer.Dispose();
        _producer = Start();
    }

    public void Begin() => _producer.BeginTransaction();

    public void Commit() => _producer.CommitTransaction(Timeout);

    public void Abort() => _producer.AbortTransaction(Timeout);

    public void Put(string id, Counted counted) => Put(Encoding.UTF8.GetBytes(id), Encode(counted));

    public void Put(byte[] key, byte[]? value) =>
        _producer.Produce(new TopicPartition(Topic, 0), new Message<byte[], byte[]> { Key = key, Value = value! });

    public void Mark(long lastEvent, TopicId events, TopicId snapshots = default, long from = 0, int recentCommands = 256) =>
        Put(StreamSnapshotFormat.MarkKey, Encode((ref AvroWriter writer) =>
        {
            WriteHead(ref writer, 0, lastEvent, []);
            writer.WriteLong(2);
            writer.WriteString(events.ToString());
            writer.WriteString(snapshots.ToString());
            writer.WriteLong(from);
            writer.WriteInt(recentCommands);
        }));

    public void Dropped(long lastEvent) => Put(StreamSnapshotFormat.DroppedKey, Encode((ref AvroWriter writer) =>
    {
        WriteHead(ref writer, 0, lastEvent, []);
        writer.WriteLong(0);
    }));

    public void Dispose() => _producer.Dispose();

    private byte[] Encode(Counted counted) => Encode((ref AvroWriter writer) =>
    {
        WriteHead(ref writer, counted.Version, counted.Offset, counted.Commands);
        writer.WriteLong(1);
        new Counting.Count { Total = counted.Total }.WriteTo(ref writer);
    });

    private byte[] Encode(WriteValue write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        WireFormat.WriteHeader(buffer, _schemaId);
        var writer = new AvroWriter(buffer);
        write(ref writer);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteHead(ref AvroWriter writer, long version, long offset, IReadOnlyList<CountedCommand> commands)
    {
        writer.WriteLong(version);
        writer.WriteInt(0);
        writer.WriteLong(offset);
        writer.WriteLong(0);
        if (commands.Count > 0)
            writer.WriteLong(commands.Count);
        foreach (CountedCommand command in commands)
        {
            writer.WriteString(command.Id);
            writer.WriteLong(command.Version);
            writer.WriteLong(command.Offset);
            writer.WriteString(command.Digest);
        }

        writer.WriteLong(0);
    }

    private static string SchemaOf(AvroRecordType state)
    {
        static JsonObject Field(string name, JsonNode type) => new() { ["name"] = name, ["type"] = type };
        static JsonObject Record(string name, params JsonNode[] fields) => new()
        {
            ["type"] = "record", ["name"] = name, ["namespace"] = "KafkaEventSourcing.Streams", ["fields"] = new JsonArray(fields),
        };
        return Record("CounterSnapshot", Field("Version", "long"), Field("EventPartition", "int"), Field("EventOffset", "long"),
            Field("Time", new JsonObject { ["type"] = "long", ["logicalType"] = "timestamp-micros" }),
            Field("RecentCommands", new JsonObject
            {
                ["type"] = "array",
                ["items"] = Record("SnapshotCommand", Field("CommandId", "string"), Field("Version", "long"),
                    Field("EventOffset", "long"), Field("Digest", "string")),
            }),
            Field("State", new JsonArray("null", JsonNode.Parse(state.SchemaJson)!, Record("SnapshotMark", Field("EventsTopic", "string"),
                Field("SnapshotsTopic", "string"), Field("FromOffset", "long"), Field("RecentCommands", "int"))))).ToJsonString();
    }

    private IProducer<byte[], byte[]> Start()
    {
        // As Streamiz names them: at random, so that nobody fences whoever was before.
        ProducerConfig config = _kafka.Producer();
        config.TransactionalId = TestServers.UniqueName("streams");
        config.TransactionTimeoutMs = (int)Timeout.TotalMilliseconds;
        IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(config).Build();
        producer.InitTransactions(Timeout);
        return producer;
    }

    private delegate void WriteValue(ref AvroWriter writer);
}

/// <summary>A counter as streams have folded it.</summary>
internal sealed record Counted(long Version, long Offset, long Total, IReadOnlyList<CountedCommand> Commands);

/// <summary>A command that led to events.</summary>
internal sealed record CountedCommand(string Id, long Version, long Offset, string Digest);
