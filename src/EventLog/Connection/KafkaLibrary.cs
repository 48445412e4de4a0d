using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>The native Kafka client of this process.</summary>
public static class KafkaLibrary
{
    /// <summary>Its version, and the file that it came from where that was chosen here.</summary>
    /// <exception cref="DllNotFoundException">It cannot be loaded.</exception>
    public static string Description => $"librdkafka {Library.VersionString}{(PackagedLibrdkafka.Path is { } path ? $" ({path})" : "")}";
}
