using System.Globalization;

namespace KafkaEventSourcing.Embedded.Kafka.Protocol;

/// <summary>One partition of a topic.</summary>
internal readonly record struct TopicPartition(string Topic, int Partition)
{
    /// <summary>The name of its folder.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Topic}-{Partition}");
}
