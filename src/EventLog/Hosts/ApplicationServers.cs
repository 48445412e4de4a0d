using Confluent.SchemaRegistry;

namespace KafkaEventSourcing.EventLog;

/// <summary>Where an application's log is, and where a part of it keeps its files.</summary>
public sealed record ApplicationServers
{
    /// <summary>The cluster.</summary>
    public required KafkaConnection Kafka { get; init; }

    /// <summary>The settings of the registry's client.</summary>
    public required SchemaRegistryConfig Registry { get; init; }

    /// <summary>The folder that parts have their folders in.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>Addresses and folder, secrets hidden.</summary>
    public override string ToString() => $"{Kafka}; registry {Secrets.Redact(Registry.Url ?? "")}; {DataDirectory}";
}
