using KafkaEventSourcing.Hosting.Health;
using KafkaEventSourcing.Hosting.Hosts;

namespace KafkaEventSourcing.Hosting;

/// <summary>Servers that can be used until this is disposed.</summary>
public interface IServers : IAsyncDisposable
{
    /// <summary>Where they are: Kafka and the Schema Registry, and MongoDB where it was asked for.</summary>
    ServerAddresses Addresses { get; }

    /// <summary>
    /// What a node on them looks at besides, to say how it is: what these servers know of themselves. None where they run elsewhere.
    /// </summary>
    IReadOnlyList<NodeCheck> Checks => [];
}

/// <summary>Servers that run elsewhere: disposing does nothing to them.</summary>
public sealed class ExternalServers : IServers
{
    /// <summary>Takes the addresses as they are.</summary>
    /// <param name="addresses">Where they are.</param>
    /// <param name="mongoDB">Whether MongoDB is needed: only where there is a read model.</param>
    /// <exception cref="InvalidInputException">One is missing; the message names the option.</exception>
    public ExternalServers(ServerAddresses addresses, bool mongoDB = true) =>
        Addresses = OptionRules.Missing(addresses, mongoDB) is { } missing ? throw missing : addresses;

    /// <inheritdoc/>
    public ServerAddresses Addresses { get; }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => default;
}
