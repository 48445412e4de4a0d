namespace KafkaEventSourcing.EventLog;

/// <summary>The topics that shall exist: from a file, or those of one aggregate type. Topics are never auto-created.</summary>
public sealed class TopicDeclaration
{
    /// <summary>Declares <paramref name="topics"/>.</summary>
    public TopicDeclaration(IReadOnlyList<TopicSpecification> topics) => Topics = topics;

    /// <summary>The topics, in the order of their declaration.</summary>
    public IReadOnlyList<TopicSpecification> Topics { get; }

    /// <summary>
    /// The topics of one aggregate type with their customary configs; a process has timers besides, and each subscription has a topic.
    /// Three replicas and more that are asked for have two in sync before a record is acknowledged.
    /// </summary>
    public static TopicDeclaration For(TopicFamily family, int partitions, short replicationFactor, bool isProcess = false)
    {
        ArgumentNullException.ThrowIfNull(family);
        TopicSpecification Topic(string name, params (string, string)[] configs) => new()
        {
            Name = name,
            Partitions = partitions,
            ReplicationFactor = replicationFactor,
            Configs = TopicSpecification.WithInSync(configs.ToDictionary(c => c.Item1, c => c.Item2),
                TopicReplication.InSyncOf(replicationFactor)),
        };
        return new TopicDeclaration(
        [
            Topic(family.Commands, ("retention.ms", "604800000")),
            Topic(family.Events, ("retention.ms", "-1")),
            Topic(family.Snapshots, ("cleanup.policy", "compact")),
            Topic(family.Replies, ("retention.ms", "3600000")),
            Topic(family.Owners, ("cleanup.policy", "compact")),
            // whatever fits the command topic, and our headers
            Topic(family.DeadLetters, ("retention.ms", "-1"), ("max.message.bytes", "2097152")),
            .. isProcess ? (TopicSpecification[])[Topic(family.Timers, ("cleanup.policy", "compact"))] : [],
            .. family.Subscriptions.Select(s => Topic(family.Subscription(s), ("cleanup.policy", "compact"))),
        ]);
    }

    /// <summary>Reads a declaration file (YAML).</summary>
    /// <exception cref="InvalidInputException">It is not one; the message names line and column.</exception>
    public static TopicDeclaration Load(string path)
    {
        TopicSpecification[] topics = new TopicDeclarationFile(path).Read();
        return topics.GroupBy(t => t.Name).FirstOrDefault(g => g.Count() > 1) is { Key: var twice }
            ? throw new InvalidInputException("topics", $"{path}: the topic {twice} is declared twice.")
            : new TopicDeclaration(topics);
    }
}
