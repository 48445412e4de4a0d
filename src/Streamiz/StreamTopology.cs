using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Processors;
using Streamiz.Kafka.Net.Processors.Public;
using Streamiz.Kafka.Net.SerDes;
using Streamiz.Kafka.Net.State;
using Streamiz.Kafka.Net.Stream;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Makes Streamiz' topology of a definition. Branches that write are placed before folds, whatever order the definition has: an aggregation
/// of Streamiz changes the time that branches behind it see. Names of nodes and stores do not depend on what else is in the definition.
/// </summary>
/// <param name="definition">The definition.</param>
/// <param name="environment">What processors share.</param>
/// <param name="partitionsOf">How many partitions an internal topic has; null: Streamiz says it.</param>
/// <param name="tables">How stores are kept; null: each change is written at once, as tests want it.</param>
internal sealed class StreamTopology(EventStreamsDefinition definition, StreamEnvironment environment, Func<string, int?> partitionsOf,
    StateTables? tables = null)
{
    private static readonly KeySerDes Keys = KeySerDes.Instance;

    private readonly StreamBuilder _builder = new();
    private readonly Dictionary<AggregateDefinition, IKStream<string, SourceRecord>> _sources = [];
    private readonly Dictionary<AggregateDefinition, IKStream<string, SnapshotChange>> _snapshots = [];

    /// <summary>The topology; a new one for each start.</summary>
    public Topology Build()
    {
        foreach (AggregateDefinition source in definition.Sources)
            _sources[source] = Read(environment.Sources[source]);
        foreach (EventTypesPart part in definition.EventTypes)
            Split(part);
        var amounts = definition.Totals.ToDictionary(p => p, Select);
        foreach (SnapshotPart part in definition.Snapshots)
            _snapshots[part.Aggregate] = Fold(part);
        foreach (TotalsPart part in definition.Totals)
            AddUp(part, amounts[part]);
        foreach (JoinPart part in definition.Joins)
            Join(part);
        var sources = new EventSources(definition, environment, _sources, _snapshots);
        foreach (Action<StreamBuilder, EventSources> build in definition.Topologies)
            build(_builder, sources);
        return _builder.Build();
    }

    private IKStream<string, SourceRecord> Read(SourceReading reading) =>
        _builder.Stream(reading.Topic, Keys, new ByteArraySerDes(), $"read-{reading.Aggregate.Name}").TransformValues(
            TransformerBuilder.New<string, byte[], string, SourceRecord>().Transformer<EventDecoder>(reading).Build(),
            $"decode-{reading.Aggregate.Name}");

    private void Split(EventTypesPart part)
    {
        _sources[part.Aggregate].TransformValues(
            TransformerBuilder.New<string, SourceRecord, string, TypedEvent>()
                .Transformer<EventTypeSplit>(part, new EventTypeTopics(environment.Serde, environment.Encoders)).Build(),
            $"split-{part.Aggregate.Name}").To(new TypedEventRoute(), KeysPartition<TypedEvent>(), Keys, new TypedEventSerDes(),
                $"write-{part.Aggregate.Name}-types");
    }

    private IKStream<string, SnapshotChange> Fold(SnapshotPart part) => _sources[part.Aggregate].TransformValues(
        TransformerBuilder.New<string, SourceRecord, string, SnapshotChange>().Transformer<SnapshotFold>(part, environment)
            .StateStore(Table(part.Store, new SnapshotSerDes(new SnapshotFormat(part.Aggregate), environment.Schemas[part.Store]))).Build(),
        $"fold-{part.Store}");

    // Those of several aggregate types come together in the internal topic.
    private IKStream<string, TotalAmount> Select(TotalsPart part) => part.Sources.Select(s => _sources[s].Transform(
            TransformerBuilder.New<string, SourceRecord, string, TotalAmount>()
                .Transformer<TotalSelect>(part, environment.Flows[part.Name], partitionsOf(definition.RepartitionOf(part.Store)) ?? 0)
                .Build(),
            $"select-{part.Store}-{s.Name}"))
        .Aggregate((all, more) => all.Merge(more, $"merge-{part.Store}-{Guid.CreateVersion7():N}"));

    private void AddUp(TotalsPart part, IKStream<string, TotalAmount> amounts) => Over(part.Store, amounts)
        .TransformValues(
            TransformerBuilder.New<string, TotalAmount, string, RunningTotal>().Transformer<TotalFold>(part, environment)
                .StateStore(Table(part.Store, new StateSerDes<RunningTotal>(environment.Schemas[part.Store]))).Build(),
            $"fold-{part.Store}");

    private void Join(JoinPart part)
    {
        var requests = new AvroSerDes<JoinRequest>(environment.Serde, environment.Encoders);
        _builder.AddStateStore(Store(part.Requests, requests));
        string[] stores = [part.Requests, SnapshotPart.StoreOf(part.Right)];
        IKStream<string, JoinAnswer> ofLeft = Over(part.Requests, _snapshots[part.Left]
                .Transform(TransformerBuilder.New<string, SnapshotChange, string, JoinRequest>().Transformer<JoinLeft>(part).Build(),
                    $"ask-{part.Name}"))
            .Transform(TransformerBuilder.New<string, JoinRequest, string, JoinAnswer>().Transformer<JoinArrival>(part).Build(),
                $"answer-{part.Name}-left", stores);
        IKStream<string, JoinAnswer> ofRight = _snapshots[part.Right].Transform(
            TransformerBuilder.New<string, SnapshotChange, string, JoinAnswer>().Transformer<JoinRight>(part).Build(),
            $"answer-{part.Name}-right", stores);
        // Results are written by the task of the left aggregate alone: whoever answers does not know what it refers to by then.
        IKStream<string, JoinResult> answered = Over(part.Responses, ofLeft.Merge(ofRight, $"merge-{part.Responses}"))
            .TransformValues(TransformerBuilder.New<string, JoinAnswer, string, JoinResult>().Transformer<JoinAnswers>(part).Build(),
                $"join-{part.Name}", SnapshotPart.StoreOf(part.Left));
        IKStream<string, JoinResult> none = _snapshots[part.Left].TransformValues(
            TransformerBuilder.New<string, SnapshotChange, string, JoinResult>().Transformer<JoinNone>(part).Build(),
            $"join-{part.Name}-none");
        string topic = definition.TopicOf(part);
        answered.Merge(none, $"merge-{part.Name}")
            .To(new FixedTopic<JoinResult>(topic), KeysPartition<JoinResult>(), Keys, new JoinResultSerDes(environment.Encoders[topic]),
                $"write-{part.Name}");
    }

    // Over an internal topic to the partition of the key. What Streamiz reads of it are bytes, so that they can come together.
    private IKStream<string, T> Over<T>(string name, IKStream<string, T> stream)
        where T : class
    {
        string topic = definition.RepartitionOf(name);
        var values = new AvroSerDes<T>(environment.Serde, environment.Encoders);
        var context = new Confluent.Kafka.SerializationContext(Confluent.Kafka.MessageComponentType.Value, topic);
        Repartitioned<string, byte[]> repartitioned = Repartitioned<string, byte[]>.With(Keys, new ByteArraySerDes())
            .WithName(name);
        if (partitionsOf(topic) is { } partitions)
            repartitioned = repartitioned.WithNumberOfPartitions(partitions);
        return stream.MapValues((value, _) => values.Serialize(value, context)!, $"pack-{name}").Repartition(repartitioned)
            .TransformValues(TransformerBuilder.New<string, byte[], string, T>()
                .Transformer<Unpacking<T>>(values, environment.Assignment).Build(), $"unpack-{name}");
    }

    // None: the producer chooses, by Kafka's murmur2 as everywhere. To ask Streamiz' how many partitions there are takes it 2 KB a record.
    private static IStreamPartitioner<string, T> KeysPartition<T>() => null!;

    private StateTableBuilder<T> Table<T>(string name, ISerDes<T> values)
        where T : class => new(name, values, tables);

    // Ranges are asked of it at each event, for which a table is not made.
    private static IStoreBuilder Store<T>(string name, ISerDes<T> values) =>
        Stores.KeyValueStoreBuilder(Stores.PersistentKeyValueStore(name), new ByteArraySerDes(), values)
            .WithLoggingEnabled(new Dictionary<string, string> { ["cleanup.policy"] = "compact" }).WithCachingDisabled();
}
