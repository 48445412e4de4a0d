using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Crosscutting;
using Streamiz.Kafka.Net.Processors;
using Streamiz.Kafka.Net.SerDes;
using Streamiz.Kafka.Net.State;
using Streamiz.Kafka.Net.State.Supplier;
using Streamiz.Kafka.Net.Table;

namespace KafkaEventSourcing.Streamiz;

/// <summary>Makes a <see cref="StateTable{T}"/> for each task: with a compacted changelog, and without the cache of Streamiz.</summary>
/// <param name="name">The name of the store.</param>
/// <param name="values">The values.</param>
/// <param name="tables">How it is kept; null: each change is written at once, and each flush is on disk.</param>
internal sealed class StateTableBuilder<T>(string name, ISerDes<T> values, StateTables? tables)
    : IStoreBuilder<IKeyValueStore<byte[], T?>>
    where T : class
{
    /// <inheritdoc/>
    public bool IsWindowStore => false;

    /// <inheritdoc/>
    public long RetentionMs => throw new NotSupportedException("The store has no windows.");

    /// <inheritdoc/>
    public IDictionary<string, string> LogConfig { get; } = new Dictionary<string, string> { ["cleanup.policy"] = "compact" };

    /// <inheritdoc/>
    public bool LoggingEnabled => true;

    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public CacheSize? CacheSize => null;

    /// <inheritdoc/>
    public IKeyValueStore<byte[], T?> Build(IStreamConfig config)
    {
        var bytes = new RocksBytesStore(name, tables?.Checkpoints);
        // Streamiz alone can publish to a changelog, from the store that it makes around ours.
        IKeyValueStore<byte[], byte[]?> logged = Stores.KeyValueStoreBuilder<byte[], byte[]?>(new Supplier(bytes), new ByteArraySerDes(),
            new ByteArraySerDes()).WithLoggingEnabled(LogConfig).WithCachingDisabled().Build(config);
        return new StateTable<T>(logged, bytes, values, tables?.CacheBytes ?? 0, tables?.Ownership);
    }

    IStateStore IStoreBuilder.Build(IStreamConfig config) => Build(config);

    /// <inheritdoc/>
    public IStoreBuilder<IKeyValueStore<byte[], T?>> WithCachingEnabled(CacheSize? cacheSize = null) => this;

    /// <inheritdoc/>
    public IStoreBuilder<IKeyValueStore<byte[], T?>> WithCachingDisabled() => this;

    /// <inheritdoc/>
    public IStoreBuilder<IKeyValueStore<byte[], T?>> WithLoggingEnabled(IDictionary<string, string> config) => this;

    /// <inheritdoc/>
    public IStoreBuilder<IKeyValueStore<byte[], T?>> WithLoggingDisabled() => this;

    /// <inheritdoc/>
    public void CacheExplicitlySet()
    {
        // It is never one of Streamiz.
    }

    private sealed class Supplier(RocksBytesStore store) : IKeyValueBytesStoreSupplier
    {
        public string Name { get; set; } = store.Name;

        public string MetricsScope => "rocksdb";

        public IKeyValueStore<Bytes, byte[]> Get() => store;
    }
}
