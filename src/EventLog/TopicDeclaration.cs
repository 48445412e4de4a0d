using YamlDotNet.Core;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace KafkaEventSourcing.EventLog;

/// <summary>The topics that shall exist: from a file, or those of one aggregate type. Topics are never auto-created.</summary>
public sealed class TopicDeclaration
{
    /// <summary>Declares <paramref name="topics"/>.</summary>
    public TopicDeclaration(IReadOnlyList<TopicSpecification> topics) => Topics = topics;

    /// <summary>The topics, in the order of their declaration.</summary>
    public IReadOnlyList<TopicSpecification> Topics { get; }

    /// <summary>The topics of one aggregate type with their customary configs; a process has timers besides, and each subscription has a topic. Three replicas and more that are asked for have two in sync before a record is acknowledged.</summary>
    public static TopicDeclaration For(TopicFamily family, int partitions, short replicationFactor, bool isProcess = false)
    {
        ArgumentNullException.ThrowIfNull(family);
        TopicSpecification Topic(string name, params (string, string)[] configs) => new()
        {
            Name = name,
            Partitions = partitions,
            ReplicationFactor = replicationFactor,
            Configs = TopicSpecification.WithInSync(configs.ToDictionary(c => c.Item1, c => c.Item2), TopicReplication.InSyncOf(replicationFactor)),
        };
        return new TopicDeclaration(
        [
            Topic(family.Commands, ("retention.ms", "604800000")),
            Topic(family.Events, ("retention.ms", "-1")),
            Topic(family.Snapshots, ("cleanup.policy", "compact")),
            Topic(family.Replies, ("retention.ms", "3600000")),
            Topic(family.Owners, ("cleanup.policy", "compact")),
            Topic(family.DeadLetters, ("retention.ms", "-1"), ("max.message.bytes", "2097152")), // whatever fits the command topic, and our headers
            .. isProcess ? (TopicSpecification[])[Topic(family.Timers, ("cleanup.policy", "compact"))] : [],
            .. family.Subscriptions.Select(s => Topic(family.Subscription(s), ("cleanup.policy", "compact"))),
        ]);
    }

    /// <summary>Reads a declaration file (YAML).</summary>
    /// <exception cref="InvalidInputException">It is not one; the message names line and column.</exception>
    public static TopicDeclaration Load(string path)
    {
        IDeserializer yaml = new DeserializerBuilder().WithNamingConvention(CamelCaseNamingConvention.Instance).Build();
        FileContent content;
        try
        {
            content = yaml.Deserialize<FileContent?>(File.ReadAllText(path)) ?? new FileContent();
        }
        catch (YamlException malformed)
        {
            throw new InvalidInputException("topics", $"{path}, line {malformed.Start.Line}, column {malformed.Start.Column}: {malformed.InnerException?.Message ?? malformed.Message}", malformed);
        }

        TopicSpecification[] topics = [.. (content.Topics ?? throw new InvalidInputException("topics", $"{path} has no list 'topics'.")).Select((t, i) => t.Checked(path, i))];
        return topics.GroupBy(t => t.Name).FirstOrDefault(g => g.Count() > 1) is { Key: var twice }
            ? throw new InvalidInputException("topics", $"{path}: the topic {twice} is declared twice.")
            : new TopicDeclaration(topics);
    }

    private sealed class FileContent
    {
        public List<FileTopic>? Topics { get; set; }
    }

    private sealed class FileTopic
    {
        public string? Name { get; set; }

        public int Partitions { get; set; }

        public short ReplicationFactor { get; set; } = -1;

        public Dictionary<string, string>? Configs { get; set; }

        public TopicSpecification Checked(string path, int index)
        {
            if (string.IsNullOrEmpty(Name))
                throw new InvalidInputException("topics", $"{path}: topic {index + 1} has no name.");
            if (Partitions < 1)
                throw new InvalidInputException("topics", $"{path}: the topic {Name} has {Partitions} partitions; at least 1 is needed.");
            if (ReplicationFactor is not TopicReplication.Unsaid and < 1)
                throw new InvalidInputException("topics", $"{path}: the topic {Name} has the replicationFactor {ReplicationFactor}; it must be at least 1, or be left out.");
            if (Configs?.FirstOrDefault(c => c.Value is null) is { Key: { } empty })
                throw new InvalidInputException("topics", $"{path}: the config {empty} of the topic {Name} has no value.");
            return new TopicSpecification { Name = Name, Partitions = Partitions, ReplicationFactor = ReplicationFactor, Configs = Configs ?? [] };
        }
    }
}
