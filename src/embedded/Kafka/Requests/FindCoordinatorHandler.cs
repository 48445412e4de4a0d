using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>FindCoordinator: who coordinates groups and transactions.</summary>
internal sealed class FindCoordinatorHandler(Broker broker)
{
    private const short BatchedCoordinatorsVersion = 4;
    public const sbyte TransactionKey = 1;

    public FindCoordinatorResponse Handle(RequestContext context, FindCoordinatorRequest request)
    {
        ErrorCode error = request.KeyType is < 0 or > TransactionKey ? ErrorCode.InvalidRequest : ErrorCode.None;
        string? message = error == ErrorCode.None ? null : $"Unknown coordinator type {request.KeyType}.";
        bool found = error == ErrorCode.None;
        (int node, string host, int port) = found ? (broker.NodeId, broker.Host, broker.Port) : (-1, "", -1);
        if (context.Version < BatchedCoordinatorsVersion)
            return new FindCoordinatorResponse
            {
                ErrorCode = (short)error,
                ErrorMessage = message,
                NodeId = node,
                Host = host,
                Port = port,
            };
        return new FindCoordinatorResponse
        {
            Coordinators = request.CoordinatorKeys.ConvertAll(key =>
                new FindCoordinatorResponse.Coordinator
                {
                    Key = key,
                    NodeId = node,
                    Host = host,
                    Port = port,
                    ErrorCode = (short)error,
                    ErrorMessage = message ?? "",
                }),
        };
    }
}
