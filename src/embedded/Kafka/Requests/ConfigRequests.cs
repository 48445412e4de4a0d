using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, of topics. The broker itself has no configs that can be changed.</summary>
internal sealed class ConfigRequests(Broker broker)
{
    private const sbyte TopicResource = 2;
    private const sbyte BrokerResource = 4;
    private const sbyte SetOnTopic = 1;
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
            if (resource.ResourceType == BrokerResource)
                return result;
            (ErrorCode error, string? message, Topic? topic) = Find(resource.ResourceType, resource.ResourceName);
            (result.ErrorCode, result.ErrorMessage) = ((short)error, message);
            if (topic is null)
                return result;
            foreach (ConfigDefinition definition in LogConfig.All.Where(d => resource.ConfigurationKeys?.Contains(d.Name) ?? true))
            {
                bool set = topic.Config.Values.ContainsKey(definition.Name);
                result.Configs.Add(new DescribeConfigsResponse.Result.Config
                {
                    Name = definition.Name,
                    Value = topic.Config.Text(definition.Name),
                    IsDefault = !set,
                    ConfigSource = set ? SetOnTopic : DefaultSource,
                    ConfigType = (sbyte)definition.Kind,
                });
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
                    (ErrorCode error, string? message, Topic? topic) = Find(resource.ResourceType, resource.ResourceName);
                    if (topic is not null)
                        (error, message) = Change(topic, resource.Configs.Where(c => c.Value is not null).ToDictionary(c => c.Name, c => c.Value), request.ValidateOnly);
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

    private static void Apply(Dictionary<string, string?> values, LogConfig present, IncrementalAlterConfigsRequest.Resource.Config change)
    {
        string[] Items() => values.TryGetValue(change.Name, out string? set) ? (set ?? "").Split(',') : LogConfig.All.Any(d => d.Name == change.Name) ? present.Text(change.Name).Split(',') : [];
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
            return (ErrorCode.InvalidRequest, $"Configs of resource type {type} cannot be changed here; only those of topics can.", null);
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
