using KafkaEventSourcing.Hosting.Health;

namespace KafkaEventSourcing.Hosting;

/// <summary>Three servers that can be used until this is disposed.</summary>
public interface IServers : IAsyncDisposable
{
    /// <summary>Where they are; complete.</summary>
    ServerAddresses Addresses { get; }

    /// <summary>What a node on them looks at besides, to say how it is: what these servers know of themselves. None where they run elsewhere.</summary>
    IReadOnlyList<NodeCheck> Checks => [];
}

/// <summary>Servers that run elsewhere: disposing does nothing to them.</summary>
public sealed class ExternalServers : IServers
{
    /// <summary>Takes the addresses as they are.</summary>
    /// <exception cref="InvalidInputException">One is missing; the message names the option.</exception>
    public ExternalServers(ServerAddresses addresses)
    {
        string? missing = addresses.Kafka is null ? "--kafka" : addresses.Registry is null ? "--registry" : addresses.MongoDB is null ? "--mongodb" : null;
        if (missing is not null)
            throw new InvalidInputException(missing, $"{missing} is missing. This application has no embedded servers: name all of --kafka, --registry and --mongodb.");
        Addresses = addresses;
    }

    /// <inheritdoc/>
    public ServerAddresses Addresses { get; }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => default;
}
