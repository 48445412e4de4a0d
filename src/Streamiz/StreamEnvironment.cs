using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Streamiz;

/// <summary>What the processors of one process share while its streams run. Thread-safe.</summary>
internal sealed class StreamEnvironment
{
    /// <summary>The name of the definition.</summary>
    public required string Definition { get; init; }

    /// <summary>Encodes and decodes events, states and results.</summary>
    public required AvroMessageSerde Serde { get; init; }

    /// <summary>The registry's client.</summary>
    public required ISchemaRegistryClient Registry { get; init; }

    /// <summary>What is counted.</summary>
    public required StreamTelemetry Telemetry { get; init; }

    /// <summary>What is on its way to totals, by the name of the totals.</summary>
    public required IReadOnlyDictionary<string, TotalFlow> Flows { get; init; }

    /// <summary>Which partitions and stores this process has.</summary>
    public required StreamAssignment Assignment { get; init; }

    /// <summary>The first offset of a partition of a topic, for messages; 0: it is not known.</summary>
    public required Func<string, int, long> BeginOf { get; init; }

    /// <summary>
    /// By the store of snapshots, the ids of the events topic and of the changelog, which marks name. None: it writes no marks, as where it
    /// runs at least once: there a snapshot may come behind one of a later event, from a process that was taken for dead.
    /// </summary>
    public required IReadOnlyDictionary<string, (string Events, string Snapshots)> SnapshotTopics { get; init; }

    /// <summary>How the sources are read.</summary>
    public required IReadOnlyDictionary<AggregateDefinition, SourceReading> Sources { get; init; }

    /// <summary>The schemas of the stores' values, by store.</summary>
    public required IReadOnlyDictionary<string, StreamSchema> Schemas { get; init; }

    /// <summary>What encodes for a topic, by topic.</summary>
    public required IReadOnlyDictionary<string, TopicEncoder> Encoders { get; init; }

    /// <summary>Makes one: registers what <paramref name="definition"/> writes.</summary>
    /// <exception cref="SchemaRefusedException">The registry refuses a schema.</exception>
    public static async Task<StreamEnvironment> PrepareAsync(EventStreamsDefinition definition, string application,
        ISchemaRegistryClient registry, Func<AggregateDefinition, int?> partitionsOf,
        Func<TopicFamily, int, IReadOnlyDictionary<long, DeadLetterResolution>> discarded, Func<string, int, long> beginOf,
        StreamTelemetry telemetry, CancellationToken cancellationToken,
        IReadOnlyDictionary<string, (string Events, string Snapshots)>? snapshotTopics = null)
    {
        var serde = AvroMessageSerde.CreateForSealed(registry, definition.RecordTypes);
        var schemas = new Dictionary<string, StreamSchema>();
        foreach (SnapshotPart part in definition.Snapshots)
        {
            var format = new SnapshotFormat(part.Aggregate);
            schemas[part.Store] = await StreamSchema.RegisterAsync(registry, definition.Name, definition.ChangelogOf(part.Store),
                format.FullName, format.SchemaJson, cancellationToken).ConfigureAwait(false);
        }

        foreach (TotalsPart part in definition.Totals)
        {
            var type = AvroRecordType.Of<RunningTotal>();
            schemas[part.Store] = await StreamSchema.RegisterAsync(registry, definition.Name, definition.ChangelogOf(part.Store),
                type.FullName, type.SchemaJson, cancellationToken).ConfigureAwait(false);
        }

        var encoders = new Dictionary<string, TopicEncoder>();
        foreach ((string topic, Type type) in definition.WrittenTypes)
            encoders[topic] = await serde.PrepareAsync(topic, [type], cancellationToken).ConfigureAwait(false);
        Dictionary<AggregateDefinition, SourceReading> sources = definition.Sources.ToDictionary(s => s, s =>
        {
            var topics = new TopicFamily(application, s.Name);
            return new SourceReading(s, topics.Events, new EventCodec(serde, s, partitionsOf(s)), p => discarded(topics, p),
                new SourceProgress());
        });
        var flows = definition.Totals.ToDictionary(t => t.Name, _ => new TotalFlow());
        return new StreamEnvironment
        {
            Definition = definition.Name,
            Flows = flows,
            Assignment = new StreamAssignment(sources.Values.Select(s => (s.Topic, s.Progress))
                .Concat(flows.Select(f => (definition.RepartitionOf(f.Key), f.Value.Progress)))
                .Concat(definition.JoinSteps.Select(topic => (topic, new SourceProgress()))).ToDictionary()),
            Serde = serde,
            Registry = registry,
            Telemetry = telemetry,
            BeginOf = beginOf,
            SnapshotTopics = snapshotTopics ?? new Dictionary<string, (string Events, string Snapshots)>(),
            Schemas = schemas,
            Encoders = encoders,
            Sources = sources,
        };
    }
}
