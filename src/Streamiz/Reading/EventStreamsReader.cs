using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Reads what the streams of a definition have written, from their topics: in any process, whether they run or not, and as a member of no
/// group. Each read goes to the end of what is committed at the time of the call. Thread-safe.
/// </summary>
public sealed class EventStreamsReader : IDisposable
{
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);

    private readonly string _application;
    private readonly CachedSchemaRegistryClient _registry;
    private readonly IAdminClient _admin;
    private readonly AvroMessageSerde _serde;
    private readonly ConcurrentDictionary<SnapshotPart, (SnapshotFormat Format, StreamSchema Schema)> _formats = [];

    /// <summary>Reads what <paramref name="definition"/> has written.</summary>
    /// <param name="definition">The definition.</param>
    /// <param name="application">The application whose events it reads.</param>
    /// <param name="kafka">The cluster.</param>
    /// <param name="registry">The settings of the registry's client.</param>
    public EventStreamsReader(EventStreamsDefinition definition, string application, KafkaConnection kafka, SchemaRegistryConfig registry)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentException.ThrowIfNullOrEmpty(application);
        ArgumentNullException.ThrowIfNull(kafka);
        (Definition, _application, Kafka) = (definition, application, kafka);
        _registry = new CachedSchemaRegistryClient(registry);
        _serde = AvroMessageSerde.CreateForSealed(_registry, definition.RecordTypes);
        _admin = kafka.BuildAdmin();
    }

    /// <summary>The definition.</summary>
    public EventStreamsDefinition Definition { get; }

    internal KafkaConnection Kafka { get; }

    internal AvroMessageSerde Serde => _serde;

    /// <summary>Whether all of its topics are there, which its first start makes.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public Task<bool> HasTopicsAsync(CancellationToken cancellationToken = default) => Task.Run(() =>
    {
        HashSet<string> there = [.. _admin.GetMetadata(RequestTimeout).Topics.Where(t => !t.Error.IsError).Select(t => t.Topic)];
        return Definition.Topics.All(there.Contains);
    }, cancellationToken);

    /// <summary>
    /// Completes when the streams, wherever they run, have read all events that there are, and what came of them between their own steps.
    /// </summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public async Task WaitUntilReadAsync(TimeProvider timeProvider, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(timeProvider);
        using var timer = new PeriodicTimer(Look, timeProvider);
        while ((await PositionsAsync(cancellationToken).ConfigureAwait(false)).Any(p => !p.IsDone))
            await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The newest snapshot of each aggregate, partition by partition; of one partition all are in memory.</summary>
    /// <exception cref="InvalidInputException">The definition has no snapshots of it.</exception>
    /// <exception cref="StreamStateException">A value is none of this version's schema.</exception>
    public async IAsyncEnumerable<StreamSnapshot<TState>> ReadSnapshotsAsync<TState>(AggregateDefinition<TState> aggregate,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
        where TState : class
    {
        ArgumentNullException.ThrowIfNull(aggregate);
        SnapshotPart part = Definition.Snapshots.FirstOrDefault(s => s.Aggregate == aggregate)
            ?? throw new InvalidInputException(nameof(aggregate),
                $"The event streams '{Definition.Name}' have no snapshots of '{aggregate.Name}'.");
        foreach (int partition in PartitionsOf(Definition.ChangelogOf(part.Store)))
        {
            foreach ((string id, Snapshot snapshot) in await SnapshotsAsync(part, partition, cancellationToken).ConfigureAwait(false))
                yield return SnapshotViews.Of<TState>(AggregateId.Parse(id), snapshot);
        }
    }

    /// <summary>The totals of <paramref name="totals"/>, each key and window once; of one partition all are in memory.</summary>
    /// <exception cref="InvalidInputException">The definition has no such totals.</exception>
    public async IAsyncEnumerable<RunningTotal> ReadTotalsAsync(string totals,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        TotalsPart part = Definition.Totals.FirstOrDefault(t => t.Name == totals)
            ?? throw new InvalidInputException(nameof(totals), $"The event streams '{Definition.Name}' have no totals '{totals}'.");
        string topic = Definition.ChangelogOf(part.Store);
        foreach (int partition in PartitionsOf(topic))
        {
            foreach (byte[] value in (await NewestAsync(topic, partition, cancellationToken).ConfigureAwait(false)).Values)
                yield return (RunningTotal)_serde.Decode(value);
        }
    }

    /// <summary>
    /// The results of the join <paramref name="join"/>, by the id of the left aggregate; of one partition all are in memory.
    /// </summary>
    /// <exception cref="InvalidInputException">The definition has no such join, or it has other results.</exception>
    public async IAsyncEnumerable<KeyValuePair<AggregateId, TResult>> ReadJoinAsync<TResult>(string join,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
        where TResult : class
    {
        JoinPart part = Definition.Joins.FirstOrDefault(j => j.Name == join && j.ResultType == typeof(TResult))
            ?? throw new InvalidInputException(nameof(join),
                $"The event streams '{Definition.Name}' have no join '{join}' with results of the type {typeof(TResult).Name}.");
        string topic = Definition.TopicOf(part);
        foreach (int partition in PartitionsOf(topic))
        {
            foreach ((string id, byte[] value) in await NewestAsync(topic, partition, cancellationToken).ConfigureAwait(false))
                yield return new(AggregateId.Parse(id), (TResult)(object)_serde.Decode(value));
        }
    }

    /// <summary>
    /// The events in the topic of <typeparamref name="TEvent"/>, partition by partition, with offsets of that topic. Where the streams are
    /// not exactly-once, one may be there again after a crash.
    /// </summary>
    /// <exception cref="InvalidInputException">The definition has no topic of that type.</exception>
    /// <exception cref="InvalidDataException">A record is not such an event.</exception>
    public async IAsyncEnumerable<RecordedEvent> ReadEventsAsync<TEvent>(AggregateDefinition aggregate,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
        where TEvent : class
    {
        string topic = Definition.EventTypes.FirstOrDefault(e => e.Aggregate == aggregate)?.TopicOf.GetValueOrDefault(typeof(TEvent))
            ?? throw new InvalidInputException(nameof(aggregate),
                $"The event streams '{Definition.Name}' have no topic of the event type {typeof(TEvent).Name}.");
        var codec = new EventCodec(_serde);
        foreach (int partition in PartitionsOf(topic))
        {
            await foreach (ConsumeResult<byte[], byte[]> record in PartitionLogReader.ReadAsync(Kafka, Definition.Name,
                new TopicPartition(topic, partition), 0, cancellationToken).ConfigureAwait(false))
                yield return codec.Decode(record)[0];
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _admin.Dispose();
        _registry.Dispose();
    }

    /// <summary>The topic of the events of <paramref name="source"/>.</summary>
    internal TopicFamily TopicsOf(AggregateDefinition source) => new(_application, source.Name);

    /// <summary>How far the streams are in what they read: events, and their own internal topics.</summary>
    internal Task<IReadOnlyList<GroupPosition>> PositionsAsync(CancellationToken cancellationToken) => Task.Run(() =>
    {
        using var positions = new GroupPositions(Kafka, Definition.Name, $"{Definition.Name}-positions");
        // From the first step to the last: what a step has not read yet is in its own topic then, and what it has read in the next one's.
        return positions.Of([.. Definition.Sources.Select(s => TopicsOf(s).Events), .. Definition.Repartitions], cancellationToken);
    }, cancellationToken);

    internal IReadOnlyList<int> PartitionsOf(string topic) => [.. TopicPartitions.Of(_admin, topic, RequestTimeout).Order()];

    /// <summary>The snapshots of one partition, by aggregate id.</summary>
    internal async Task<Dictionary<string, Snapshot>> SnapshotsAsync(SnapshotPart part, int partition, CancellationToken cancellationToken)
    {
        string topic = Definition.ChangelogOf(part.Store);
        (SnapshotFormat format, StreamSchema schema) = _formats.GetOrAdd(part, FormatOf);
        return (await NewestAsync(topic, partition, cancellationToken).ConfigureAwait(false)).Where(s => s.Key[0] != '\0')
            .ToDictionary(s => s.Key, s => format.Read(schema.Check(s.Value)));
    }

    private (SnapshotFormat, StreamSchema) FormatOf(SnapshotPart part)
    {
        var format = new SnapshotFormat(part.Aggregate);
        return (format, StreamSchema.ForReading(_registry, Definition.Name, Definition.ChangelogOf(part.Store), format.SchemaJson));
    }

    /// <summary>The newest value of each key of a compacted partition.</summary>
    internal Task<Dictionary<string, byte[]>> NewestAsync(string topic, int partition, CancellationToken cancellationToken) => Task.Run(
        () =>
    {
        var newest = new Dictionary<string, byte[]>();
        foreach (ConsumeResult<byte[], byte[]> record in PartitionLogReader.Read(Kafka, Definition.Name,
            new TopicPartition(topic, partition), 0, cancellationToken))
        {
            string key = Encoding.UTF8.GetString(record.Message.Key);
            if (record.Message.Value is { } value)
                newest[key] = value;
            else
                newest.Remove(key);
        }

        return newest;
    }, cancellationToken);
}
