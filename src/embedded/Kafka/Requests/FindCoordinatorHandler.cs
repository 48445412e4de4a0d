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
        return error == ErrorCode.None
            ? Answer(context, request, error, null, broker.NodeId, broker.Host, broker.Port)
            : Answer(context, request, error, $"Unknown coordinator type {request.KeyType}.", -1, "", -1);
    }

    /// <summary>The answer in the version that was asked in: one coordinator, or one a key.</summary>
    public static FindCoordinatorResponse Answer(RequestContext context, FindCoordinatorRequest request, ErrorCode error, string? message,
        int node, string host, int port)
    {
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
