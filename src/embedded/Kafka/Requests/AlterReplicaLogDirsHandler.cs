using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>AlterReplicaLogDirs: there is one folder of logs.</summary>
internal sealed class AlterReplicaLogDirsHandler(Broker broker)
{
    public AlterReplicaLogDirsResponse Handle(AlterReplicaLogDirsRequest request) => new()
    {
        Results = [.. request.Dirs.SelectMany(d => d.Topics.Select(t => (d.Path, Topic: t)))
            .Select(move => new AlterReplicaLogDirsResponse.TopicItem
            {
                TopicName = move.Topic.Name,
                Partitions = move.Topic.Partitions.ConvertAll(p => new AlterReplicaLogDirsResponse.TopicItem.PartitionItem
                {
                    PartitionIndex = p,
                    ErrorCode = (short)(move.Path != broker.LogDirectory
                        ? ErrorCode.LogDirNotFound
                        : broker.LogOf(move.Topic.Name, p) is null
                        ? ErrorCode.UnknownTopicOrPartition
                        : ErrorCode.None),
                }),
            })],
    };
}
