using Streamiz.Kafka.Net.Processors;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Where a <see cref="TypedEvent"/> goes: to its topic. A class, as the methods of Streamiz that take functions for this do not use the
/// serdes that they are given.
/// </summary>
internal sealed class TypedEventRoute : ITopicNameExtractor<string, TypedEvent>
{
    /// <inheritdoc/>
    public string Extract(string key, TypedEvent value, IRecordContext recordContext) => value.Topic;
}
