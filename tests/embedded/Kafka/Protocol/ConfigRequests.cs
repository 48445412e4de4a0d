using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>Requests for configs, in raw versions.</summary>
public abstract class ConfigRequests : RawBrokerTests
{
    private protected const sbyte TopicType = 2;
    private protected const sbyte BrokerType = 4;
    private protected const sbyte LoggerType = 8;
    private protected const sbyte ClientMetricsType = 16;
    private protected const sbyte GroupType = 32;
    private protected const sbyte OfBroker = 2;
    private protected const sbyte OfCluster = 3;
    private protected const sbyte Default = 5;
    private protected const string SessionTimeout = "consumer.session.timeout.ms";
    private protected const string HeartbeatInterval = "consumer.heartbeat.interval.ms";
    private protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private protected (ErrorCode, string?) Alter(sbyte type, string name, params (string Name, string? Value)[] configs) =>
        Alter(type, name, operation: 0, configs);

    private protected (ErrorCode, string?) Alter(sbyte type, string name, sbyte operation, params (string Name, string? Value)[] configs)
    {
        IncrementalAlterConfigsResponse.Result result = Client.Ask<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>(
            new IncrementalAlterConfigsRequest
            {
                Resources = [new IncrementalAlterConfigsRequest.Resource
                {
                    ResourceType = type,
                    ResourceName = name,
                    Configs = [.. configs.Select(c =>
                        new IncrementalAlterConfigsRequest.Resource.Config
                        {
                            Name = c.Name, Value = c.Value, ConfigOperation = operation,
                        })],
                }],
            }, 1, IncrementalAlterConfigsResponse.Read).Responses[0];
        return ((ErrorCode)result.ErrorCode, result.ErrorMessage);
    }

    private protected List<DescribeConfigsResponse.Result.Config> Describe(sbyte type, string name) =>
        Client.Ask<DescribeConfigsRequest, DescribeConfigsResponse>(
        new DescribeConfigsRequest
        {
            Resources = [new DescribeConfigsRequest.Resource { ResourceType = type, ResourceName = name, ConfigurationKeys = null }],
            IncludeSynonyms = true,
        }, 4, DescribeConfigsResponse.Read).Results[0].Configs;

    private protected ErrorCode Produce(Guid topic, int bytes) => (ErrorCode)Client.Ask<ProduceRequest, ProduceResponse>(
        new ProduceRequest
        {
            Acks = -1,
            TopicData = [new ProduceRequest.TopicItem
            {
                TopicId = topic,
                PartitionData = [new ProduceRequest.TopicItem.PartitionItem
                {
                    Records = RecordBatchBuilder.Build([(null, new byte[bytes])], TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds()),
                }],
            }],
        }, 13, ProduceResponse.Read).Responses[0].PartitionResponses[0].ErrorCode;
}
