using System.Collections.Concurrent;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Hosting.Archiving;

/// <summary>The ids of topics, asked again after a while. Thread-safe.</summary>
internal sealed class TopicIdCache(KafkaConnection kafka, TimeProvider time)
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<string, (TopicId Id, long At)> _known = new();

    /// <summary>The id of a topic; unknown where the cluster has none, or does not have the topic. It may block.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public TopicId Of(string topic, CancellationToken cancellationToken)
    {
        if (_known.TryGetValue(topic, out (TopicId Id, long At) known) && time.GetElapsedTime(known.At) < Fresh)
            return known.Id;
        using IAdminClient admin = kafka.BuildAdmin();
        TopicId id = TopicIds.OfAsync(admin, [topic], Patience, cancellationToken).GetAwaiter().GetResult()
            .TryGetValue(topic, out TopicId found) ? found : default;
        _known[topic] = (id, time.GetTimestamp());
        return id;
    }
}
