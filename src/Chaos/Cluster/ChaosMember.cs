namespace KafkaEventSourcing.Chaos.Cluster;

/// <summary>A process of the application: a node, or one that runs its event streams.</summary>
internal abstract class ChaosMember(string name, string folder, ServerRoute servers) : IAsyncDisposable
{
    public string Name => name;

    /// <summary>Its data.</summary>
    public string Folder { get; } = Path.Combine(folder, name);

    /// <summary>Its way to the servers.</summary>
    public ServerRoute Servers => servers;

    public abstract ChildProcess Process { get; }

    /// <inheritdoc/>
    public virtual async ValueTask DisposeAsync()
    {
        await Process.DisposeAsync().ConfigureAwait(false);
        await servers.DisposeAsync().ConfigureAwait(false);
    }
}
