using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>
/// DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources: of topics, of groups, of subscriptions to client metrics,
/// of the broker and of its loggers.
/// </summary>
internal sealed class ConfigRequests(Broker broker)
{
    private const short AllTypesVersion = 1;

    private readonly Lock _lock = new();

    public DescribeConfigsResponse Describe(DescribeConfigsRequest request) => new()
    {
        Results = request.Resources.ConvertAll(wanted =>
        {
            ConfigResource? resource = ConfigResource.Find(broker, wanted.ResourceType, wanted.ResourceName, out ErrorCode error,
                out string? message);
            return new DescribeConfigsResponse.Result
            {
                ResourceType = wanted.ResourceType,
                ResourceName = wanted.ResourceName,
                ErrorCode = (short)error,
                ErrorMessage = message,
                Configs = resource is null
                    ? []
                    : [.. resource.Describe(wanted.ConfigurationKeys is { Count: > 0 } keys ? keys : null).Select(c => Told(c, request))],
            };
        }),
    };

    public AlterConfigsResponse Alter(AlterConfigsRequest request)
    {
        var repeated = Repeated(request.Resources.Select(r => (r.ResourceType, r.ResourceName)));
        lock (_lock)
        {
            return new AlterConfigsResponse
            {
                Responses = request.Resources.ConvertAll(wanted =>
                {
                    (ErrorCode error, string? message) = Change(
                        wanted.ResourceType, wanted.ResourceName, repeated, wanted.Configs.ConvertAll(c => (c.Name, c.Value is null)),
                        resource => Replaced(resource, wanted.Configs), request.ValidateOnly);
                    return new AlterConfigsResponse.Result
                    {
                        ResourceType = wanted.ResourceType,
                        ResourceName = wanted.ResourceName,
                        ErrorCode = (short)error,
                        ErrorMessage = message,
                    };
                }),
            };
        }
    }

    public IncrementalAlterConfigsResponse AlterIncrementally(IncrementalAlterConfigsRequest request)
    {
        var repeated = Repeated(request.Resources.Select(r => (r.ResourceType, r.ResourceName)));
        lock (_lock)
        {
            return new IncrementalAlterConfigsResponse
            {
                Responses = request.Resources.ConvertAll(wanted =>
                {
                    (ErrorCode error, string? message) = Change(
                        wanted.ResourceType,
                        wanted.ResourceName,
                        repeated,
                        wanted.Configs.ConvertAll(c => (c.Name, c.Value is null && c.ConfigOperation != (sbyte)ConfigOperation.Delete)),
                        resource => Applied(resource, wanted.Configs),
                        request.ValidateOnly);
                    return new IncrementalAlterConfigsResponse.Result
                    {
                        ResourceType = wanted.ResourceType,
                        ResourceName = wanted.ResourceName,
                        ErrorCode = (short)error,
                        ErrorMessage = message,
                    };
                }),
            };
        }
    }

    /// <summary>The resources that have configs (KIP-1142); before, only subscriptions to client metrics were listed (KIP-714).</summary>
    public ListConfigResourcesResponse List(RequestContext context, ListConfigResourcesRequest request)
    {
        sbyte[] types = context.Version < AllTypesVersion ? [ConfigResource.ClientMetricsType] : [.. request.ResourceTypes.Distinct()];
        if (types.Length == 0)
            types = [ConfigResource.GroupType, ConfigResource.ClientMetricsType, ConfigResource.BrokerLoggerType, ConfigResource.BrokerType,
                ConfigResource.TopicType];
        if (types.Any(t => t is not (ConfigResource.GroupType or ConfigResource.ClientMetricsType or ConfigResource.BrokerLoggerType
            or ConfigResource.BrokerType or ConfigResource.TopicType)))
            return new ListConfigResourcesResponse { ErrorCode = (short)ErrorCode.UnsupportedVersion };
        return new ListConfigResourcesResponse
        {
            ConfigResources = [.. types.SelectMany(type =>
                NamesOf(type).Select(name => new ListConfigResourcesResponse.Resource { ResourceName = name, ResourceType = type }))],
        };
    }

    private static HashSet<(sbyte, string)> Repeated(IEnumerable<(sbyte Type, string Name)> resources) =>
        [.. resources.GroupBy(r => r).Where(g => g.Count() > 1).Select(g => g.Key)];

    private static (Dictionary<string, string> Values, Refusal? Wrong) Replaced(
        ConfigResource resource, List<AlterConfigsRequest.Resource.Config> configs) =>
        (configs.ToDictionary(c => c.Name, c => c.Value!), resource.CanBeReplaced
            ? null
            : new Refusal(ErrorCode.InvalidRequest, "AlterConfigs is deprecated and does not support the resource type BROKER_LOGGER"));

    // What is set after the operations, or why one of them cannot be done.
    private static (Dictionary<string, string> Values, Refusal? Wrong) Applied(
        ConfigResource resource, List<IncrementalAlterConfigsRequest.Resource.Config> changes)
    {
        var values = resource.Values.ToDictionary(v => v.Key, v => v.Value);
        foreach (IncrementalAlterConfigsRequest.Resource.Config change in changes)
        {
            var operation = (ConfigOperation)change.ConfigOperation;
            if (resource.Refuse(operation, change.Name) is { } refusal)
                return (values, refusal);
            switch (operation)
            {
                case ConfigOperation.Delete:
                    values.Remove(change.Name);
                    break;
                case ConfigOperation.Append or ConfigOperation.Subtract:
                    if (resource.ListOf(change.Name) is not { } list)
                        return (values, new Refusal(ErrorCode.InvalidConfig,
                            $"Can't {operation.ToString().ToUpperInvariant()} to key {change.Name} because its type is not LIST."));
                    string[] present = ConfigDefinition.Items(values.GetValueOrDefault(change.Name) ?? list);
                    string[] given = ConfigDefinition.Items(change.Value!);
                    values[change.Name] = string.Join(',',
                        operation == ConfigOperation.Append ? present.Union(given) : present.Except(given));
                    break;
                default:
                    values[change.Name] = change.Value!;
                    break;
            }
        }

        return (values, null);
    }

    private static DescribeConfigsResponse.Result.Config Told(DescribeConfigsResponse.Result.Config config, DescribeConfigsRequest request)
    {
        if (!request.IncludeSynonyms)
            config.Synonyms = [];
        if (!request.IncludeDocumentation)
            config.Documentation = null;
        return config;
    }

    private IEnumerable<string> NamesOf(sbyte type) => type switch
    {
        ConfigResource.GroupType => broker.GroupConfigs.Groups,
        ConfigResource.ClientMetricsType => broker.ClientMetrics.Names,
        ConfigResource.TopicType => broker.Topics.All.Select(t => t.Name),
        ConfigResource.BrokerType or ConfigResource.BrokerLoggerType => [broker.NodeName],
        _ => [],
    };

    private (ErrorCode, string?) Change(
        sbyte type, string name, HashSet<(sbyte, string)> repeated, List<(string Name, bool IsNull)> keys,
        Func<ConfigResource, (Dictionary<string, string> Values, Refusal? Wrong)> apply, bool validateOnly)
    {
        if (repeated.Contains((type, name)))
            return (ErrorCode.InvalidRequest, "Each resource must appear at most once.");
        string[] nulls = [.. keys.Where(k => k.IsNull).Select(k => k.Name)];
        if (nulls.Length > 0)
            return (ErrorCode.InvalidRequest, $"Null value not supported for : {string.Join(',', nulls)}");
        string[] twice = [.. keys.GroupBy(k => k.Name).Where(g => g.Count() > 1).Select(g => g.Key)];
        if (twice.Length > 0)
            return (ErrorCode.InvalidRequest, $"Error due to duplicate config keys : {string.Join(',', twice)}");
        if (ConfigResource.Find(broker, type, name, out ErrorCode error, out string? message) is not { } resource)
            return (error, message);
        (Dictionary<string, string> values, Refusal? refusal) = apply(resource);
        refusal ??= resource.Change(values, validateOnly);
        return (refusal?.Error ?? ErrorCode.None, refusal?.Message);
    }
}
