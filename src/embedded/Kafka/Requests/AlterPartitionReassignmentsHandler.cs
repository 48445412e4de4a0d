using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>AlterPartitionReassignments: there is nowhere to go.</summary>
internal sealed class AlterPartitionReassignmentsHandler(Broker broker)
{
    public AlterPartitionReassignmentsResponse Handle(AlterPartitionReassignmentsRequest request) => new()
    {
        AllowReplicationFactorChange = request.AllowReplicationFactorChange,
        Responses = request.Topics.ConvertAll(topic => new AlterPartitionReassignmentsResponse.TopicItem
        {
            Name = topic.Name,
            Partitions = topic.Partitions.ConvertAll(partition =>
            {
                (ErrorCode error, string? message) =
                    broker.LogOf(topic.Name, partition.PartitionIndex) is null ? (ErrorCode.UnknownTopicOrPartition,
                        "The topic or the partition does not exist.")
                    : partition.Replicas is null ? (ErrorCode.NoReassignmentInProgress, "No reassignment is in progress.")
                    : partition.Replicas is [var only] && only == broker.NodeId ? (ErrorCode.None, (string?)null)
                    : (ErrorCode.InvalidReplicaAssignment, $"Replicas can only be assigned to the broker {broker.NodeId}.");
                return new AlterPartitionReassignmentsResponse.TopicItem.PartitionItem
                {
                    PartitionIndex = partition.PartitionIndex, ErrorCode = (short)error, ErrorMessage = message,
                };
            }),
        }),
    };
}
