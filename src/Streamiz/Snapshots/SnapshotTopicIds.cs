using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Streamiz;

/// <summary>The ids of the topics that snapshots are made from and written to.</summary>
internal static class SnapshotTopicIds
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    /// <summary>By store, as Kafka's tools show them; empty where brokers have none.</summary>
    /// <exception cref="KafkaException">The cluster does not answer, or a topic is not there.</exception>
    public static async Task<IReadOnlyDictionary<string, (string Events, string Snapshots)>> AskAsync(EventStreamsDefinition definition,
        string application, KafkaConnection kafka, CancellationToken cancellationToken)
    {
        var topics = definition.Snapshots.ToDictionary(p => p.Store, p =>
            (Events: new TopicFamily(application, p.Aggregate.Name).Events, Snapshots: definition.ChangelogOf(p.Store)));
        if (topics.Count == 0)
            return new Dictionary<string, (string Events, string Snapshots)>();
        using IAdminClient admin = kafka.BuildAdmin();
        IReadOnlyDictionary<string, TopicId> ids = await TopicIds.OfAsync(admin,
            topics.Values.SelectMany(t => new[] { t.Events, t.Snapshots }), Patience, cancellationToken).ConfigureAwait(false);
        return topics.ToDictionary(t => t.Key, t => (IdOf(t.Value.Events), IdOf(t.Value.Snapshots)));

        string IdOf(string topic) => ids.TryGetValue(topic, out TopicId id)
            ? id.ToString()
            : throw new KafkaException(new Error(ErrorCode.UnknownTopicOrPart, $"The topic {topic} is not there."));
    }
}
