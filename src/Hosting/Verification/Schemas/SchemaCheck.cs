using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Projections.MongoDB;

namespace KafkaEventSourcing.Hosting.Verification;

/// <summary>
/// Reads what is in an application's topics by the code that is about to be deployed: every event, snapshot and waiting command. Nodes
/// may run meanwhile: it joins no group, and writes and registers nothing. All aggregates' states must fit in memory.
/// </summary>
internal sealed class SchemaCheck
{
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(15);

    private readonly ApplicationDefinition _application;
    private readonly KafkaConnection _kafka;
    private readonly MongoProjectionStore? _stored;
    private readonly AvroMessageSerde _serde;
    private long _records;

    /// <summary>Checks <paramref name="application"/> on its servers.</summary>
    /// <param name="application">The code.</param>
    /// <param name="kafka">The cluster.</param>
    /// <param name="registry">The schemas of what stands there.</param>
    /// <param name="stored">The read models; null: they are not compared.</param>
    public SchemaCheck(ApplicationDefinition application, KafkaConnection kafka, ISchemaRegistryClient registry,
        MongoProjectionStore? stored)
    {
        (_application, _kafka, _stored) = (application, kafka, stored);
        _serde = AvroMessageSerde.Create(registry, EventSourcedNode.RecordTypesOf(application));
    }

    /// <summary>Records read so far.</summary>
    public long Records => Interlocked.Read(ref _records);

    /// <summary>Reads, folds and compares. For one call.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    /// <exception cref="HttpRequestException">The registry does not answer.</exception>
    public async Task<SchemaCheckReport> RunAsync(SchemaCheckOptions options, CancellationToken cancellationToken = default)
    {
        using IAdminClient admin = new AdminClientBuilder(_kafka.Admin()).SetLogHandler((_, _) => { })
            .SetErrorHandler((_, _) => { }).Build();
        HashSet<string> there = [.. admin.GetMetadata(RequestTimeout).Topics.Select(t => t.Topic)];
        AggregateDefinition[] aggregates = [.. _application.Aggregates.Where(a =>
            there.Contains(new TopicFamily(_application.Name, a.Name).Events))];
        var uses = new SchemaUses(_serde);
        var checks = new List<(AggregateDefinition Definition, AggregateHistoryCheck Check)>();
        foreach (AggregateDefinition aggregate in aggregates)
            checks.Add((aggregate, new AggregateHistoryCheck(_application.Name, aggregate, _kafka, _serde, uses, options,
                topic => TopicPartitions.Of(admin, topic, RequestTimeout), () => Interlocked.Increment(ref _records))));
        if (options.Sample is { } sample)
        {
            foreach ((AggregateDefinition aggregate, AggregateHistoryCheck check) in checks)
                await check.SampleAsync(sample, Waiting(admin, aggregate), cancellationToken).ConfigureAwait(false);
            return new SchemaCheckReport(uses.All, [], []);
        }

        ReadModelFold[] folds = _stored is null
            ? []
            : [.. _application.Projections.Where(p => _application.AggregatesOf(p).All(aggregates.Contains))
                .Select(p => new ReadModelFold(_application, p, _stored))];
        foreach (ReadModelFold fold in folds)
            await fold.BeginAsync(checks.Select(c => (c.Definition, Partitions(admin, c.Definition))), cancellationToken)
                .ConfigureAwait(false);
        var found = new List<AggregateCheck>();
        foreach ((AggregateDefinition aggregate, AggregateHistoryCheck check) in checks)
        {
            ProjectionEngine[] engines = [.. folds.Select(f => f.EngineOf(aggregate)).OfType<ProjectionEngine>()];
            try
            {
                found.Add(await check.RunAsync(engines, Waiting(admin, aggregate), cancellationToken).ConfigureAwait(false));
            }
            finally
            {
                foreach (ProjectionEngine engine in engines)
                    await engine.DisposeAsync().ConfigureAwait(false);
            }
        }

        var readModels = new List<ReadModelCheck>();
        foreach (ReadModelFold fold in folds)
            readModels.Add(await fold.FinishAsync(checks.ToDictionary(c => c.Definition, c => c.Check.LastOffsets), cancellationToken)
                .ConfigureAwait(false));
        return new SchemaCheckReport(uses.All, found, readModels);
    }

    private int[] Partitions(IAdminClient admin, AggregateDefinition aggregate) =>
        [.. TopicPartitions.Of(admin, new TopicFamily(_application.Name, aggregate.Name).Events, RequestTimeout)];

    // From where on commands are not decided, as the group's offsets say; the first where it has none.
    private Dictionary<int, long> Waiting(IAdminClient admin, AggregateDefinition aggregate)
    {
        var topics = new TopicFamily(_application.Name, aggregate.Name);
        TopicPartition[] partitions = [.. TopicPartitions.Of(admin, topics.Commands, RequestTimeout)
            .Select(p => new TopicPartition(topics.Commands, p))];
        try
        {
            List<ListConsumerGroupOffsetsResult> offsets = admin.ListConsumerGroupOffsetsAsync(
                [new ConsumerGroupTopicPartitions($"{_application.Name}-{aggregate.Name}", [.. partitions])],
                new ListConsumerGroupOffsetsOptions { RequestTimeout = RequestTimeout }).GetAwaiter().GetResult();
            return offsets[0].Partitions.Where(p => p.Error.Code == ErrorCode.NoError && p.Offset.Value >= 0)
                .ToDictionary(p => p.Partition.Value, p => p.Offset.Value);
        }
        catch (ListConsumerGroupOffsetsException none) when (none.Results.All(r => r.Error.Code is ErrorCode.GroupIdNotFound
            or ErrorCode.NoError))
        {
            return [];
        }
    }
}
