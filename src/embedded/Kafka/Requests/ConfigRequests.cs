using System.Globalization;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, of topics and of the broker.</summary>
internal sealed class ConfigRequests(Broker broker)
{
    private const sbyte TopicResource = 2;
    private const sbyte BrokerResource = 4;
    private const sbyte SetOnTopic = 1;
    private const sbyte SetOnBroker = 2;
    private const sbyte StaticSource = 4;
    private const sbyte DefaultSource = 5;

    private readonly Lock _lock = new();

    private enum Operation : sbyte
    {
        Set = 0,
        Delete = 1,
        Append = 2,
        Subtract = 3,
    }

    public DescribeConfigsResponse Describe(DescribeConfigsRequest request) => new()
    {
        Results = request.Resources.ConvertAll(resource =>
        {
            var result = new DescribeConfigsResponse.Result { ResourceType = resource.ResourceType, ResourceName = resource.ResourceName };
            if (resource.ResourceType is BrokerResource && CheckBroker(resource.ResourceName) is { } wrong)
                (result.ErrorCode, result.ErrorMessage) = ((short)ErrorCode.InvalidRequest, wrong);
            else if (resource.ResourceType is BrokerResource)
                result.Configs.AddRange(DescribeBroker(resource.ConfigurationKeys, request.IncludeSynonyms));
            else if (Find(resource.ResourceType, resource.ResourceName) is var (error, message, topic))
            {
                (result.ErrorCode, result.ErrorMessage) = ((short)error, message);
                if (topic is not null)
                    result.Configs.AddRange(Describe(topic, resource.ConfigurationKeys, request.IncludeSynonyms));
            }

            return result;
        }),
    };

    public AlterConfigsResponse Alter(AlterConfigsRequest request)
    {
        lock (_lock)
        {
            return new AlterConfigsResponse
            {
                Responses = request.Resources.ConvertAll(resource =>
                {
                    if (resource.ResourceType == BrokerResource)
                    {
                        (ErrorCode brokerError, string? brokerMessage) = ChangeBroker(resource.ResourceName, resource.Configs.Where(c => c.Value is not null).DistinctBy(c => c.Name).ToDictionary(c => c.Name, c => c.Value), request.ValidateOnly);
                        return new AlterConfigsResponse.Result { ResourceType = resource.ResourceType, ResourceName = resource.ResourceName, ErrorCode = (short)brokerError, ErrorMessage = brokerMessage };
                    }

                    (ErrorCode error, string? message, Topic? topic) = Find(resource.ResourceType, resource.ResourceName);
                    if (topic is not null)
                        (error, message) = Change(topic, resource.Configs.Where(c => c.Value is not null).DistinctBy(c => c.Name).ToDictionary(c => c.Name, c => c.Value), request.ValidateOnly);
                    return new AlterConfigsResponse.Result { ResourceType = resource.ResourceType, ResourceName = resource.ResourceName, ErrorCode = (short)error, ErrorMessage = message };
                }),
            };
        }
    }

    public IncrementalAlterConfigsResponse AlterIncrementally(IncrementalAlterConfigsRequest request)
    {
        lock (_lock)
        {
            return new IncrementalAlterConfigsResponse
            {
                Responses = request.Resources.ConvertAll(resource =>
                {
                    if (resource.ResourceType == BrokerResource)
                    {
                        Dictionary<string, string?> changed = broker.Configs.Changed.ToDictionary(v => v.Key, v => (string?)v.Value);
                        foreach (IncrementalAlterConfigsRequest.Resource.Config config in resource.Configs)
                            Apply(changed, null, config);
                        (ErrorCode brokerError, string? brokerMessage) = ChangeBroker(resource.ResourceName, changed, request.ValidateOnly);
                        return new IncrementalAlterConfigsResponse.Result { ResourceType = resource.ResourceType, ResourceName = resource.ResourceName, ErrorCode = (short)brokerError, ErrorMessage = brokerMessage };
                    }

                    (ErrorCode error, string? message, Topic? topic) = Find(resource.ResourceType, resource.ResourceName);
                    if (topic is not null)
                    {
                        Dictionary<string, string?> values = topic.Config.Values.ToDictionary(v => v.Key, v => (string?)v.Value);
                        foreach (IncrementalAlterConfigsRequest.Resource.Config config in resource.Configs)
                            Apply(values, topic.Config, config);
                        (error, message) = Change(topic, values, request.ValidateOnly);
                    }

                    return new IncrementalAlterConfigsResponse.Result { ResourceType = resource.ResourceType, ResourceName = resource.ResourceName, ErrorCode = (short)error, ErrorMessage = message };
                }),
            };
        }
    }

    private static IEnumerable<DescribeConfigsResponse.Result.Config> Describe(Topic topic, List<string>? keys, bool withSynonyms)
    {
        foreach (ConfigDefinition definition in LogConfig.All.Where(d => keys?.Contains(d.Name) ?? true))
        {
            bool set = topic.Config.Values.TryGetValue(definition.Name, out string? value);
            yield return new DescribeConfigsResponse.Result.Config
            {
                Name = definition.Name,
                Value = topic.Config.Text(definition.Name),
                IsDefault = !set,
                ConfigSource = set ? SetOnTopic : DefaultSource,
                ConfigType = (sbyte)definition.Kind,
                Synonyms = withSynonyms ? Synonyms(definition, value) : [],
            };
        }
    }

    // Behind what is set on the topic stands the broker's default, under the broker's name for it.
    private static List<DescribeConfigsResponse.Result.Config.Synonym> Synonyms(ConfigDefinition definition, string? set)
    {
        var synonyms = new List<DescribeConfigsResponse.Result.Config.Synonym>();
        if (set is not null)
            synonyms.Add(new() { Name = definition.Name, Value = set, Source = SetOnTopic });
        if (definition.Synonyms.Length > 0)
            synonyms.Add(new() { Name = definition.Synonyms[0], Value = definition.Default, Source = DefaultSource });
        return synonyms;
    }

    private static List<DescribeConfigsResponse.Result.Config.Synonym> Synonyms(string name, string? set, sbyte setSource, string otherwise, sbyte source)
    {
        var last = new DescribeConfigsResponse.Result.Config.Synonym { Name = name, Value = otherwise, Source = source };
        return set is null ? [last] : [new() { Name = name, Value = set, Source = setSource }, last];
    }

    private static string? CheckBroker(string name) =>
        name.Length == 0 || name == Broker.NodeId.ToString(CultureInfo.InvariantCulture) ? null : $"Unexpected broker id, expected {Broker.NodeId} or empty string, but received {name}";

    private IEnumerable<DescribeConfigsResponse.Result.Config> DescribeBroker(List<string>? keys, bool withSynonyms)
    {
        IReadOnlyDictionary<string, string> changed = broker.Configs.Changed;
        foreach (BrokerConfig config in broker.Configs.All.Where(c => keys?.Contains(c.Name) ?? true))
        {
            bool set = changed.TryGetValue(config.Name, out string? value);
            sbyte source = config.IsDynamic ? DefaultSource : StaticSource;
            yield return new DescribeConfigsResponse.Result.Config
            {
                Name = config.Name,
                Value = value ?? config.Default,
                ReadOnly = !config.IsDynamic,
                IsDefault = !set && config.IsDynamic,
                ConfigSource = set ? SetOnBroker : source,
                ConfigType = (sbyte)config.Kind,
                Synonyms = withSynonyms ? Synonyms(config.Name, value, SetOnBroker, config.Default, source) : [],
            };
        }
    }

    private (ErrorCode, string?) ChangeBroker(string name, Dictionary<string, string?> values, bool validateOnly) =>
        CheckBroker(name) is { } unexpected ? (ErrorCode.InvalidRequest, unexpected)
        : broker.Configs.Change(values, validateOnly) is { } wrong ? (ErrorCode.InvalidConfig, wrong)
        : (ErrorCode.None, null);

    private static void Apply(Dictionary<string, string?> values, LogConfig? present, IncrementalAlterConfigsRequest.Resource.Config change)
    {
        string[] Items() => values.TryGetValue(change.Name, out string? set) ? (set ?? "").Split(',') : present is not null && LogConfig.All.Any(d => d.Name == change.Name) ? present.Text(change.Name).Split(',') : [];
        string[] given = (change.Value ?? "").Split(',');
        switch ((Operation)change.ConfigOperation)
        {
            case Operation.Delete:
                values.Remove(change.Name);
                break;
            case Operation.Append:
                values[change.Name] = string.Join(',', Items().Union(given));
                break;
            case Operation.Subtract:
                values[change.Name] = string.Join(',', Items().Except(given));
                break;
            default:
                values[change.Name] = change.Value;
                break;
        }
    }

    private (ErrorCode, string?, Topic?) Find(sbyte type, string name)
    {
        if (type != TopicResource)
            return (ErrorCode.InvalidRequest, $"Configs of resource type {type} are not known here; those of topics and of the broker are.", null);
        return broker.Topics.Find(name) is { } topic ? (ErrorCode.None, null, topic) : (ErrorCode.UnknownTopicOrPartition, "This server does not host this topic-partition.", null);
    }

    private (ErrorCode, string?) Change(Topic topic, Dictionary<string, string?> values, bool validateOnly)
    {
        if (LogConfig.Check(values) is { } wrong)
            return (ErrorCode.InvalidConfig, wrong);
        if (!validateOnly)
        {
            Topic changed = topic with { Config = new LogConfig(values.Where(v => v.Value is not null).ToDictionary(v => v.Key, v => v.Value!)) };
            broker.Topics.Put(changed);
            broker.OpenLogs(changed);
        }

        return (ErrorCode.None, null);
    }
}
