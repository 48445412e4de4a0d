using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Chaos.Cluster;

/// <summary>The way of one node to the servers; it ends with the proxies that it goes through.</summary>
internal sealed class ServerRoute(params TcpProxy[] proxies) : IAsyncDisposable
{
    /// <summary>The addresses that the node is given.</summary>
    public required ServerAddresses Addresses { get; init; }

    /// <summary>Its connections to Kafka; null: they are not led through a proxy.</summary>
    public TcpProxyLine? Kafka { get; init; }

    /// <summary>Its connections to the Schema Registry; null: they are not led through a proxy.</summary>
    public TcpProxyLine? Registry { get; init; }

    /// <summary>Its connections to MongoDB; null: they are not led through a proxy.</summary>
    public TcpProxyLine? MongoDB { get; init; }

    /// <summary>Takes back whatever is wrong with them.</summary>
    public void Mend()
    {
        foreach (TcpProxyLine? line in (TcpProxyLine?[])[Kafka, Registry, MongoDB])
            line?.Mend();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (TcpProxy proxy in proxies)
            await proxy.DisposeAsync().ConfigureAwait(false);
    }
}
