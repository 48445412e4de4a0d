using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>What IncrementalAlterConfigs does with a config; the numbers are those of the API.</summary>
internal enum ConfigOperation : sbyte
{
    Set = 0,
    Delete = 1,
    Append = 2,
    Subtract = 3,
}

/// <summary>Something that has configs: a topic, a group, a subscription to client metrics, the broker, its loggers.</summary>
internal abstract class ConfigResource
{
    public const sbyte TopicType = 2;
    public const sbyte BrokerType = 4;
    public const sbyte BrokerLoggerType = 8;
    public const sbyte ClientMetricsType = 16;
    public const sbyte GroupType = 32;

    /// <summary>What was set, without defaults.</summary>
    public abstract IReadOnlyDictionary<string, string> Values { get; }

    /// <summary>The resource of a request, or why it has none.</summary>
    public static ConfigResource? Find(Broker broker, sbyte type, string name, out ErrorCode error, out string? message)
    {
        (error, message) = (ErrorCode.InvalidRequest, null);
        switch (type)
        {
            case TopicType when broker.Topics.Find(name) is { } topic:
                error = ErrorCode.None;
                return new OfTopic(broker, topic);
            case TopicType:
                (error, message) = (ErrorCode.UnknownTopicOrPartition, "This server does not host this topic-partition.");
                return null;
            case BrokerType when name.Length == 0 || broker.IsNode(name):
                error = ErrorCode.None;
                return new OfBroker(broker, name);
            case BrokerType:
                message = $"Unexpected broker id, expected {broker.NodeName} or empty string, but received {name}";
                return null;
            case BrokerLoggerType when name == broker.NodeName:
                error = ErrorCode.None;
                return new OfLoggers(broker.Loggers);
            case BrokerLoggerType:
                message = name.Length == 0
                    ? "Broker id must not be empty"
                    : $"Unexpected broker id, expected {broker.NodeName} but received {name}";
                return null;
            case ClientMetricsType when name.Length > 0:
                error = ErrorCode.None;
                return new OfClientMetrics(broker, name);
            case ClientMetricsType:
                message = "Client metrics subscription name must not be empty";
                return null;
            case GroupType when name.Length > 0:
                error = ErrorCode.None;
                return new OfGroup(broker, name);
            case GroupType:
                message = "Group name must not be empty";
                return null;
            default:
                message = $"Unsupported resource type: {type}";
                return null;
        }
    }

    /// <summary>
    /// Where the value of a topic's config comes from, what counts first: what is set of the topic, of the broker and of the cluster, the
    /// broker's default. None: only the topic's default is known.
    /// </summary>
    public static IReadOnlyList<ConfigValue> SourcesOf(
        Broker broker, IReadOnlyDictionary<string, string> set, ConfigDefinition definition) =>
        [.. OwnValue(definition, set, ConfigSource.Topic),
            .. definition.Synonyms is [string synonym, ..] ? broker.Configs.SourcesOf(synonym) : []];

    /// <summary>The configs of the names in <paramref name="keys"/>; all when that is null.</summary>
    public abstract IEnumerable<DescribeConfigsResponse.Result.Config> Describe(List<string>? keys);

    /// <summary>The present value of a list, with its default; null when it is not a list.</summary>
    public abstract string? ListOf(string name);

    /// <summary>Whether the legacy AlterConfigs, which replaces all that was set, is answered.</summary>
    public virtual bool CanBeReplaced => true;

    /// <summary>Why an operation cannot be done with one config, whatever its value; null when it can.</summary>
    public virtual Refusal? Refuse(ConfigOperation operation, string name) => null;

    /// <summary>Puts <paramref name="values"/> in the place of all that was set; why it cannot, or null.</summary>
    public abstract Refusal? Change(IReadOnlyDictionary<string, string> values, bool validateOnly);

    private static IEnumerable<ConfigValue> OwnValue(
        ConfigDefinition definition, IReadOnlyDictionary<string, string> set, ConfigSource source) =>
        set.TryGetValue(definition.Name, out string? value) ? [new ConfigValue(definition.Name, definition.Normalize(value), source)] : [];

    private static IEnumerable<T> Wanted<T>(IEnumerable<T> all, Func<T, string> nameOf, List<string>? keys) =>
        all.Where(a => keys?.Contains(nameOf(a)) ?? true);

    // What counts first is the value, and all are synonyms.
    private static DescribeConfigsResponse.Result.Config Describe(
        string name, ConfigType kind, IReadOnlyList<ConfigValue> sources, ConfigValue otherwise)
    {
        ConfigValue value = sources.Count > 0 ? sources[0] : otherwise;
        return new DescribeConfigsResponse.Result.Config
        {
            Name = name,
            Value = value.Value,
            IsDefault = value.Source is ConfigSource.Default,
            ConfigSource = (sbyte)value.Source,
            ConfigType = (sbyte)kind,
            Synonyms = [.. sources.Select(v =>
                new DescribeConfigsResponse.Result.Config.Synonym { Name = v.Name, Value = v.Value, Source = (sbyte)v.Source })],
            Documentation = ConfigDocumentation.Of(name),
        };
    }

    // Behind what is set of a group or a subscription stands the broker's default, when the broker has a name for it.
    private static DescribeConfigsResponse.Result.Config Describe(
        ConfigDefinition definition, IReadOnlyDictionary<string, string> set, ConfigSource source) => Describe(
        definition.Name,
        definition.Kind,
        [.. OwnValue(definition, set, source),
            .. definition.Synonyms.Select(s => new ConfigValue(s, definition.Default, ConfigSource.Default))],
        ConfigValue.DefaultOf(definition));

    private static Refusal? Invalid(string? wrong) => wrong is null ? null : new Refusal(ErrorCode.InvalidConfig, wrong);

    private sealed class OfTopic(Broker broker, Topic topic) : ConfigResource
    {
        public override IReadOnlyDictionary<string, string> Values => topic.Config.Values;

        public override IEnumerable<DescribeConfigsResponse.Result.Config> Describe(List<string>? keys) =>
            Wanted(topic.Config.Told, d => d.Name, keys).Select(d =>
                Describe(d.Name, d.Kind, SourcesOf(broker, Values, d), ConfigValue.DefaultOf(d)));

        public override string? ListOf(string name) => LogConfig.Find(name) is { Kind: ConfigType.List } ? topic.Config.Text(name) : null;

        public override Refusal? Change(IReadOnlyDictionary<string, string> values, bool validateOnly)
        {
            if (LogConfig.Check(values.Select(v => KeyValuePair.Create(v.Key, (string?)v.Value)), broker.Configs.TopicDefaults)
                is { } wrong)
                return Invalid(wrong);
            if (!validateOnly)
                broker.ConfigureTopic(topic.Name, values);
            return null;
        }
    }

    private sealed class OfGroup(Broker broker, string group) : ConfigResource
    {
        public override IReadOnlyDictionary<string, string> Values => broker.GroupConfigs.ValuesOf(group);

        public override IEnumerable<DescribeConfigsResponse.Result.Config> Describe(List<string>? keys) =>
            Wanted(broker.GroupConfigs.All, d => d.Name, keys).Select(d => Describe(d, Values, ConfigSource.Group));

        public override string? ListOf(string name) => null;

        public override Refusal? Change(IReadOnlyDictionary<string, string> values, bool validateOnly) =>
            Invalid(broker.GroupConfigs.Change(group, values, validateOnly));
    }

    private sealed class OfClientMetrics(Broker broker, string subscription) : ConfigResource
    {
        public override IReadOnlyDictionary<string, string> Values => broker.ClientMetrics.ValuesOf(subscription);

        public override IEnumerable<DescribeConfigsResponse.Result.Config> Describe(List<string>? keys) =>
            Wanted(ClientMetricsConfigs.All, d => d.Name, keys).Select(d => Describe(d, Values, ConfigSource.ClientMetrics));

        public override string? ListOf(string name) =>
            ClientMetricsConfigs.All.FirstOrDefault(d => d.Name == name && d.Kind == ConfigType.List) is { } list
                ? Values.GetValueOrDefault(name) ?? list.Default
                : null;

        public override Refusal? Change(IReadOnlyDictionary<string, string> values, bool validateOnly) =>
            broker.ClientMetrics.Change(subscription, values, validateOnly);
    }

    private sealed class OfLoggers(BrokerLoggers loggers) : ConfigResource
    {
        public override IReadOnlyDictionary<string, string> Values => loggers.Values;

        public override bool CanBeReplaced => false;

        public override IEnumerable<DescribeConfigsResponse.Result.Config> Describe(List<string>? keys) =>
            Wanted(BrokerLoggers.Names, n => n, keys).Select(n =>
                new DescribeConfigsResponse.Result.Config
                {
                    Name = n, Value = loggers.LevelOf(n), ConfigSource = (sbyte)ConfigSource.BrokerLogger,
                });

        public override string? ListOf(string name) => null;

        public override Refusal? Refuse(ConfigOperation operation, string name) => operation switch
        {
            ConfigOperation.Append or ConfigOperation.Subtract =>
                new Refusal(ErrorCode.InvalidRequest,
                    $"{operation.ToString().ToUpperInvariant()} operation is not allowed for the BROKER_LOGGER resource"),
            _ when !BrokerLoggers.Names.Contains(name) => new Refusal(ErrorCode.InvalidConfig, $"Logger {name} does not exist!"),
            ConfigOperation.Delete when name == BrokerLoggers.Root =>
                new Refusal(ErrorCode.InvalidRequest, $"Removing the log level of the {BrokerLoggers.Root} logger is not allowed"),
            _ => null,
        };

        public override Refusal? Change(IReadOnlyDictionary<string, string> values, bool validateOnly)
        {
            foreach ((string name, string level) in values)
            {
                if (!BrokerLoggers.LevelNames.Contains(level))
                    return Invalid($"Cannot set the log level of {name} to {level} as it is not a supported log level. Valid log levels "
                        + $"are {string.Join(", ", BrokerLoggers.LevelNames)}");
            }

            if (!validateOnly)
                loggers.Change(values);
            return null;
        }
    }

    // A broker has all its configs; the cluster, which has no name, has what was set for all brokers.
    private sealed class OfBroker(Broker broker, string name) : ConfigResource
    {
        public override IReadOnlyDictionary<string, string> Values => broker.Configs.ValuesOf(name);

        public override IEnumerable<DescribeConfigsResponse.Result.Config> Describe(List<string>? keys)
        {
            foreach (BrokerConfig config in Wanted(broker.Configs.All, c => c.Name, keys))
            {
                IReadOnlyList<ConfigValue> sources = [.. broker.Configs.SourcesOf(config.Name).Where(v =>
                    name != BrokerConfigs.Cluster || v.Source == ConfigSource.DynamicDefaultBroker)];
                if (sources.Count == 0 && name == BrokerConfigs.Cluster)
                    continue;
                DescribeConfigsResponse.Result.Config described = Describe(config.Name, config.Kind, sources,
                    new ConfigValue(config.Name, config.Default, ConfigSource.Default));
                described.ReadOnly = config.Dynamic is null;
                yield return described;
            }
        }

        public override string? ListOf(string name) =>
            LogConfig.All.FirstOrDefault(d => d.Kind == ConfigType.List && d.Synonyms.Contains(name))?.Default;

        public override Refusal? Change(IReadOnlyDictionary<string, string> values, bool validateOnly) =>
            broker.Configure(name, values, validateOnly) is { } wrong ? new Refusal(ErrorCode.InvalidRequest, wrong) : null;
    }
}
