using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>UnregisterBroker.</summary>
internal sealed class UnregisterBrokerHandler(Broker broker)
{
    public UnregisterBrokerResponse Handle(UnregisterBrokerRequest request) => request.BrokerId == broker.NodeId
        ? new UnregisterBrokerResponse
        {
            ErrorCode = (short)ErrorCode.InvalidRequest, ErrorMessage = $"Broker {request.BrokerId} is the only one of this cluster.",
        }
        : new UnregisterBrokerResponse
        {
            ErrorCode = (short)ErrorCode.BrokerIdNotRegistered,
            ErrorMessage = $"Broker ID {request.BrokerId} is not currently registered.",
        };
}
