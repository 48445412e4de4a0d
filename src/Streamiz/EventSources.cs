using KafkaEventSourcing.Avro;
using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Crosscutting;
using Streamiz.Kafka.Net.SerDes;
using Streamiz.Kafka.Net.State;
using Streamiz.Kafka.Net.Stream;
using Streamiz.Kafka.Net.Table;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// What a topology of the user's begins with: the sources of the definition, which are read and decoded once however many branches there
/// are, and this library's serdes and settings. Valid while the topology is built.
/// </summary>
public sealed class EventSources
{
    private readonly EventStreamsDefinition _definition;
    private readonly StreamEnvironment _environment;
    private readonly IReadOnlyDictionary<AggregateDefinition, IKStream<string, SourceRecord>> _records;
    private readonly IReadOnlyDictionary<AggregateDefinition, IKStream<string, SnapshotChange>> _snapshots;

    internal EventSources(EventStreamsDefinition definition, StreamEnvironment environment,
        IReadOnlyDictionary<AggregateDefinition, IKStream<string, SourceRecord>> records,
        IReadOnlyDictionary<AggregateDefinition, IKStream<string, SnapshotChange>> snapshots) =>
        (_definition, _environment, _records, _snapshots) = (definition, environment, records, snapshots);

    /// <summary>The serdes of keys: text in UTF-8.</summary>
    public ISerDes<string> Keys { get; } = KeySerDes.Instance;

    /// <summary>The records of the events topic of <paramref name="source"/>, keyed by aggregate id.</summary>
    /// <exception cref="InvalidOperationException">The definition does not read it.</exception>
    public IKStream<string, SourceRecord> Records(AggregateDefinition source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return _records.TryGetValue(source, out IKStream<string, SourceRecord>? records)
            ? records
            : throw new InvalidOperationException($"The event streams '{_definition.Name}' do not read '{source.Name}'.");
    }

    /// <summary>
    /// The events of <paramref name="source"/> as the code of today reads them, keyed by aggregate id, with headers and time of the record.
    /// After a crash events come again: whoever counts must know the version or the offset of what it has.
    /// </summary>
    /// <exception cref="InvalidOperationException">The definition does not read it.</exception>
    public IKStream<string, RecordedEvent> Events(AggregateDefinition source) => Records(source).FlatMapValues((record, _) =>
        Enumerable.Range(0, record.Stored.Count).Select(part => record.Stored[part]));

    /// <summary>
    /// The snapshots of <paramref name="aggregate"/>, each time that one changes, keyed by aggregate id; null: it was dropped. One that
    /// comes again is the same as before.
    /// </summary>
    /// <exception cref="InvalidOperationException">The definition has no snapshots of it.</exception>
    public IKStream<string, StreamSnapshot<TState>?> Snapshots<TState>(AggregateDefinition<TState> aggregate)
        where TState : class
    {
        ArgumentNullException.ThrowIfNull(aggregate);
        if (!_snapshots.TryGetValue(aggregate, out IKStream<string, SnapshotChange>? changes))
            throw new InvalidOperationException($"The event streams '{_definition.Name}' have no snapshots of '{aggregate.Name}'.");
        return changes.MapValues((change, _) =>
            change.After is null ? null : SnapshotViews.Of<TState>(change.Source.Head.AggregateId, change.After));
    }

    /// <summary>Values of <typeparamref name="T"/> in Avro; events, states, and types that were named with the topology.</summary>
    public ISerDes<T> Avro<T>()
        where T : class, IAvroRecord<T> => new AvroSerDes<T>(_environment.Serde, _environment.Encoders);

    /// <summary>
    /// A store of values by text, with a changelog and without a cache: Streamiz' cache swallows the deletion of what is not in it.
    /// </summary>
    public Materialized<string, T, IKeyValueStore<Bytes, byte[]>> Store<T>(string name, ISerDes<T> values) =>
        Materialized<string, T, IKeyValueStore<Bytes, byte[]>>.Create(Stores.PersistentKeyValueStore(name)).With(Keys, values)
            .WithCachingDisabled();

    /// <summary>
    /// Windows of <paramref name="size"/> that take what is at most <paramref name="grace"/> late. Both are said: by itself Streamiz has a
    /// grace of a day less the size, which is negative for longer windows, so that they are closed before they begin.
    /// </summary>
    /// <exception cref="InvalidInputException">One is out of range.</exception>
    public static TumblingWindowOptions Windows(TimeSpan size, TimeSpan grace) =>
        size <= TimeSpan.Zero ? throw new InvalidInputException(nameof(size), $"The size {size} of windows must be positive.")
            : grace < TimeSpan.Zero ? throw new InvalidInputException(nameof(grace), $"The grace {grace} of windows must not be negative.")
            : TumblingWindowOptions.Of(size, grace);

    /// <summary>
    /// A store for <see cref="Windows"/>, which keeps a window for <paramref name="retention"/>, in segments of half of it: by itself
    /// Streamiz has a RocksDB for each hour.
    /// </summary>
    /// <exception cref="InvalidInputException">It keeps windows for a shorter time than they take what is late: such a window would begin
    /// again from nothing.</exception>
    public Materialized<string, T, IWindowStore<Bytes, byte[]>> WindowStore<T>(string name, ISerDes<T> values, TimeSpan size,
        TimeSpan grace, TimeSpan retention)
    {
        if (retention < size + grace)
            throw new InvalidInputException(nameof(retention), $"The store '{name}' keeps windows for {retention}, and they take what "
                + $"is late until {size + grace} after they begin: what comes after it is forgotten would count from nothing again.");
        long segment = Math.Max(60_000, (long)(retention.TotalMilliseconds / 2));
        return Materialized<string, T, IWindowStore<Bytes, byte[]>>.Create(Stores.PersistentWindowStore(name, retention, size, segment))
            .With(Keys, values).WithRetention(retention).WithCachingDisabled();
    }
}
