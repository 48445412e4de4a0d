using Streamiz.Kafka.Net.Processors;

namespace KafkaEventSourcing.Streamiz;

/// <summary>That all goes to one topic, where Streamiz wants to know it of each record.</summary>
internal sealed class FixedTopic<T>(string topic) : ITopicNameExtractor<string, T>
{
    /// <inheritdoc/>
    public string Extract(string key, T value, IRecordContext recordContext) => topic;
}
