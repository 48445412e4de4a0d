using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>DescribeCluster: the brokers.</summary>
internal sealed class DescribeClusterHandler(Broker broker)
{
    private const sbyte BrokersEndpoint = 1;

    public DescribeClusterResponse Handle(DescribeClusterRequest request)
    {
        if (request.EndpointType != BrokersEndpoint)
            return new DescribeClusterResponse
            {
                ErrorCode = (short)ErrorCode.UnsupportedEndpointType,
                ErrorMessage = $"Unsupported endpoint type {request.EndpointType}",
                EndpointType = request.EndpointType,
            };
        return new DescribeClusterResponse
        {
            ClusterId = broker.ClusterId,
            ControllerId = broker.NodeId,
            Brokers = [new DescribeClusterResponse.Broker { BrokerId = broker.NodeId, Host = broker.Host, Port = broker.Port }],
            ClusterAuthorizedOperations = request.IncludeClusterAuthorizedOperations
                ? AuthorizedOperations.Cluster
                : AuthorizedOperations.NotAsked,
        };
    }
}
