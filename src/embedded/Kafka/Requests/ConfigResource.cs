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

    private const sbyte SetOnTopic = 1;
    private const sbyte SetOnBroker = 2;
    private const sbyte StaticSource = 4;
    private const sbyte DefaultSource = 5;
    private const sbyte SetOnLogger = 6;
    private const sbyte SetOnClientMetrics = 7;
    private const sbyte SetOnGroup = 8;

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
            case BrokerType when name.Length == 0 || name == broker.NodeName:
                error = ErrorCode.None;
                return new OfBroker(broker);
            case BrokerType:
                message = $"Unexpected broker id, expected {broker.NodeName} or empty string, but received {name}";
                return null;
            case BrokerLoggerType when name == broker.NodeName:
                error = ErrorCode.None;
                return new OfLoggers(broker.Loggers);
            case BrokerLoggerType:
                message = name.Length == 0 ? "Broker id must not be empty" : $"Unexpected broker id, expected {broker.NodeName} but received {name}";
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

    public abstract IEnumerable<DescribeConfigsResponse.Result.Config> Describe(List<string>? keys, bool withSynonyms);

    /// <summary>The present value of a list, with its default; null when it is no list.</summary>
    public abstract string? ListOf(string name);

    /// <summary>Whether the legacy AlterConfigs, which replaces all that was set, is answered.</summary>
    public virtual bool CanBeReplaced => true;

    /// <summary>Why an operation cannot be done with one config, whatever its value; null when it can.</summary>
    public virtual Refusal? Refuse(ConfigOperation operation, string name) => null;

    /// <summary>Puts <paramref name="values"/> in the place of all that was set; why it cannot, or null.</summary>
    public abstract Refusal? Change(IReadOnlyDictionary<string, string> values, bool validateOnly);

    private static List<DescribeConfigsResponse.Result.Config.Synonym> Synonyms(string name, string? set, sbyte setSource, string? otherwise, string? otherwiseValue, sbyte source)
    {
        var synonyms = new List<DescribeConfigsResponse.Result.Config.Synonym>();
        if (set is not null)
            synonyms.Add(new() { Name = name, Value = set, Source = setSource });
        if (otherwise is not null)
            synonyms.Add(new() { Name = otherwise, Value = otherwiseValue, Source = source });
        return synonyms;
    }

    // Behind what is set stands the broker's default, under the broker's name for it. One with several names (in milliseconds, minutes, hours) has no value of its own under the most telling one.
    private static DescribeConfigsResponse.Result.Config Describe(ConfigDefinition definition, string? set, sbyte setSource, bool withSynonyms) => new()
    {
        Name = definition.Name,
        Value = set ?? definition.Default,
        IsDefault = set is null,
        ConfigSource = set is null ? DefaultSource : setSource,
        ConfigType = (sbyte)definition.Kind,
        Synonyms = withSynonyms ? Synonyms(definition.Name, set, setSource, definition.Synonyms.Length == 1 ? definition.Synonyms[0] : null, definition.Default, DefaultSource) : [],
    };

    private static Refusal? Invalid(string? wrong) => wrong is null ? null : new Refusal(ErrorCode.InvalidConfig, wrong);

    private sealed class OfTopic(Broker broker, Topic topic) : ConfigResource
    {
        public override IReadOnlyDictionary<string, string> Values => topic.Config.Values;

        public override IEnumerable<DescribeConfigsResponse.Result.Config> Describe(List<string>? keys, bool withSynonyms) =>
            LogConfig.All.Where(d => keys?.Contains(d.Name) ?? true).Select(d => Describe(d, Values.GetValueOrDefault(d.Name), SetOnTopic, withSynonyms));

        public override string? ListOf(string name) => LogConfig.Find(name) is { Kind: ConfigType.List } ? topic.Config.Text(name) : null;

        public override Refusal? Change(IReadOnlyDictionary<string, string> values, bool validateOnly)
        {
            if (LogConfig.Check(values.Select(v => KeyValuePair.Create(v.Key, (string?)v.Value))) is { } wrong)
                return Invalid(wrong);
            if (!validateOnly)
            {
                Topic changed = topic with { Config = new LogConfig(values) };
                broker.Topics.Put(changed);
                broker.OpenLogs(changed);
            }

            return null;
        }
    }

    private sealed class OfGroup(Broker broker, string group) : ConfigResource
    {
        public override IReadOnlyDictionary<string, string> Values => broker.GroupConfigs.ValuesOf(group);

        public override IEnumerable<DescribeConfigsResponse.Result.Config> Describe(List<string>? keys, bool withSynonyms) =>
            broker.GroupConfigs.All.Where(d => keys?.Contains(d.Name) ?? true).Select(d => Describe(d, Values.GetValueOrDefault(d.Name), SetOnGroup, withSynonyms));

        public override string? ListOf(string name) => null;

        public override Refusal? Change(IReadOnlyDictionary<string, string> values, bool validateOnly) => Invalid(broker.GroupConfigs.Change(group, values, validateOnly));
    }

    private sealed class OfClientMetrics(Broker broker, string subscription) : ConfigResource
    {
        public override IReadOnlyDictionary<string, string> Values => broker.ClientMetrics.ValuesOf(subscription);

        public override IEnumerable<DescribeConfigsResponse.Result.Config> Describe(List<string>? keys, bool withSynonyms) =>
            ClientMetricsConfigs.All.Where(d => keys?.Contains(d.Name) ?? true).Select(d => Describe(d, Values.GetValueOrDefault(d.Name), SetOnClientMetrics, withSynonyms));

        public override string? ListOf(string name) => ClientMetricsConfigs.All.FirstOrDefault(d => d.Name == name && d.Kind == ConfigType.List) is { } list ? Values.GetValueOrDefault(name) ?? list.Default : null;

        public override Refusal? Change(IReadOnlyDictionary<string, string> values, bool validateOnly) => broker.ClientMetrics.Change(subscription, values, validateOnly);
    }

    private sealed class OfLoggers(BrokerLoggers loggers) : ConfigResource
    {
        public override IReadOnlyDictionary<string, string> Values => loggers.Values;

        public override bool CanBeReplaced => false;

        public override IEnumerable<DescribeConfigsResponse.Result.Config> Describe(List<string>? keys, bool withSynonyms) =>
            BrokerLoggers.Names.Where(n => keys?.Contains(n) ?? true).Select(n => new DescribeConfigsResponse.Result.Config { Name = n, Value = loggers.LevelOf(n), ConfigSource = SetOnLogger });

        public override string? ListOf(string name) => null;

        public override Refusal? Refuse(ConfigOperation operation, string name) => operation switch
        {
            ConfigOperation.Append or ConfigOperation.Subtract => new Refusal(ErrorCode.InvalidRequest, $"{operation.ToString().ToUpperInvariant()} operation is not allowed for the BROKER_LOGGER resource"),
            _ when !BrokerLoggers.Names.Contains(name) => new Refusal(ErrorCode.InvalidConfig, $"Logger {name} does not exist!"),
            ConfigOperation.Delete when name == BrokerLoggers.Root => new Refusal(ErrorCode.InvalidRequest, $"Removing the log level of the {BrokerLoggers.Root} logger is not allowed"),
            _ => null,
        };

        public override Refusal? Change(IReadOnlyDictionary<string, string> values, bool validateOnly)
        {
            foreach ((string name, string level) in values)
            {
                if (!BrokerLoggers.LevelNames.Contains(level))
                    return Invalid($"Cannot set the log level of {name} to {level} as it is not a supported log level. Valid log levels are {string.Join(", ", BrokerLoggers.LevelNames)}");
            }

            if (!validateOnly)
                loggers.Change(values);
            return null;
        }
    }

    private sealed class OfBroker(Broker broker) : ConfigResource
    {
        public override IReadOnlyDictionary<string, string> Values => broker.Configs.Changed;

        public override IEnumerable<DescribeConfigsResponse.Result.Config> Describe(List<string>? keys, bool withSynonyms)
        {
            IReadOnlyDictionary<string, string> changed = Values;
            foreach (BrokerConfig config in broker.Configs.All.Where(c => keys?.Contains(c.Name) ?? true))
            {
                bool set = changed.TryGetValue(config.Name, out string? value);
                sbyte source = config.IsGiven ? StaticSource : DefaultSource;
                yield return new DescribeConfigsResponse.Result.Config
                {
                    Name = config.Name,
                    Value = value ?? config.Default,
                    ReadOnly = !config.IsDynamic,
                    IsDefault = !set && !config.IsGiven,
                    ConfigSource = set ? SetOnBroker : source,
                    ConfigType = (sbyte)config.Kind,
                    Synonyms = withSynonyms ? Synonyms(config.Name, value, SetOnBroker, config.Default is null ? null : config.Name, config.Default, source) : [],
                };
            }
        }

        public override string? ListOf(string name) => null;

        public override Refusal? Change(IReadOnlyDictionary<string, string> values, bool validateOnly) => Invalid(broker.Configs.Change(values, validateOnly));
    }
}
