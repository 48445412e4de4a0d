using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>DescribeLogDirs: the logs and their sizes.</summary>
internal sealed class DescribeLogDirsHandler(Broker broker)
{
    public DescribeLogDirsResponse Handle(DescribeLogDirsRequest request)
    {
        IEnumerable<UnifiedLog> logs = request.Topics is { } topics
            ? topics.SelectMany(t => t.Partitions.Select(p => broker.LogOf(t.Topic, p))).OfType<UnifiedLog>()
            : broker.Logs.All;
        var drive = new DriveInfo(broker.LogDirectory);
        return new DescribeLogDirsResponse
        {
            Results =
            [
                new DescribeLogDirsResponse.Result
                {
                    LogDir = broker.LogDirectory,
                    TotalBytes = drive.TotalSize,
                    UsableBytes = drive.AvailableFreeSpace,
                    Topics = [.. logs.GroupBy(l => l.Partition.Topic).Select(g => new DescribeLogDirsResponse.Result.TopicItem
                    {
                        Name = g.Key,
                        Partitions = [.. g.Select(l =>
                            new DescribeLogDirsResponse.Result.TopicItem.PartitionItem
                            {
                                PartitionIndex = l.Partition.Partition, PartitionSize = l.Size,
                            })],
                    })],
                },
            ],
        };
    }
}
