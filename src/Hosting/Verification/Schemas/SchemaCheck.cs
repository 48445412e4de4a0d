using Confluent.Kafka;
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
    private readonly ApplicationDefinition _application;
    private readonly IRecordSource _source;
    private readonly MongoProjectionStore? _stored;
    private readonly AvroMessageSerde _serde;
    private long _records;

    /// <summary>Checks <paramref name="application"/>.</summary>
    /// <param name="application">The code.</param>
    /// <param name="source">Where the records are; it stays the caller's.</param>
    /// <param name="stored">The read models; null: they are not compared.</param>
    public SchemaCheck(ApplicationDefinition application, IRecordSource source, MongoProjectionStore? stored)
    {
        (_application, _source, _stored) = (application, source, stored);
        _serde = AvroMessageSerde.Reading(source.Schemas, EventSourcedNode.RecordTypesOf(application));
    }

    /// <summary>Records read so far.</summary>
    public long Records => Interlocked.Read(ref _records);

    /// <summary>Reads, folds and compares. For one call.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    /// <exception cref="HttpRequestException">The registry does not answer.</exception>
    /// <exception cref="InvalidInputException">The file does not have a topic that is needed, or the application an aggregate
    /// type.</exception>
    public async Task<SchemaCheckReport> RunAsync(SchemaCheckOptions options, CancellationToken cancellationToken = default)
    {
        HashSet<string> there = [.. _source.Topics];
        if (options.StreamSnapshots.Keys.FirstOrDefault(k => _application.Aggregates.All(a => a.Name != k)) is { } stranger)
            throw new InvalidInputException("--stream-snapshots", $"{_application.Name} has no aggregate type '{stranger}'; it has "
                + $"{string.Join(", ", _application.Aggregates.Select(a => a.Name).Order(StringComparer.Ordinal))}.");
        string[] missing = [.. options.StreamSnapshots.Values.Where(t => !there.Contains(t)).Order(StringComparer.Ordinal)];
        ILookup<bool, AggregateDefinition> aggregates = _application.Aggregates.ToLookup(a => there.Contains(Topics(a).Events));
        string[] unread = [.. aggregates[false].Select(a => a.Name)];
        var uses = new SchemaUses(_serde.ReadingOf);
        (AggregateDefinition Definition, AggregateHistoryCheck Check)[] checks = [.. aggregates[true].Select(a => (a,
            new AggregateHistoryCheck(Topics(a), a, _source, _serde, uses, options, () => Interlocked.Increment(ref _records))))];
        if (options.Sample is { } sample)
        {
            foreach ((AggregateDefinition aggregate, AggregateHistoryCheck check) in checks)
                await check.SampleAsync(sample, Waiting(aggregate), cancellationToken).ConfigureAwait(false);
            return new SchemaCheckReport(uses.All, [], []) { Unread = unread, MissingSnapshots = missing };
        }

        ReadModelFold[] folds = _stored is null
            ? []
            : [.. _application.Projections.Where(p => _application.AggregatesOf(p).All(aggregates[true].Contains))
                .Select(p => new ReadModelFold(_application, p, _stored))];
        foreach (ReadModelFold fold in folds)
            await fold.BeginAsync(checks.Select(c => (c.Definition, _source.PartitionsOf(Topics(c.Definition).Events).ToArray())),
                cancellationToken).ConfigureAwait(false);
        var found = new List<AggregateCheck>();
        foreach ((AggregateDefinition aggregate, AggregateHistoryCheck check) in checks)
        {
            ProjectionEngine[] engines = [.. folds.Select(f => f.EngineOf(aggregate)).OfType<ProjectionEngine>()];
            try
            {
                found.Add(await check.RunAsync(engines, Waiting(aggregate), cancellationToken).ConfigureAwait(false));
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
        return new SchemaCheckReport(uses.All, found, readModels) { Unread = unread, MissingSnapshots = missing };
    }

    private TopicFamily Topics(AggregateDefinition aggregate) => new(_application.Name, aggregate.Name);

    // From where on commands are not decided, as the group's offsets say; the first where it has none.
    private IReadOnlyDictionary<int, long> Waiting(AggregateDefinition aggregate) =>
        _source.PositionsOf(Topics(aggregate).Group, Topics(aggregate).Commands);
}
