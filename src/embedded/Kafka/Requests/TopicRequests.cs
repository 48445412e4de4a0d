using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>CreateTopics, DeleteTopics, CreatePartitions.</summary>
internal sealed class TopicRequests(Broker broker)
{
    private const int MaxPartitions = 10_000;

    private readonly Lock _lock = new();

    public CreateTopicsResponse Create(CreateTopicsRequest request)
    {
        lock (_lock)
        {
            return new CreateTopicsResponse
            {
                Topics = request.Topics.ConvertAll(topic =>
                {
                    (ErrorCode error, string? message) = request.Topics.Count(t => t.Name == topic.Name) > 1
                        ? (ErrorCode.InvalidRequest, "Duplicate topic name.")
                        : Create(topic, request.ValidateOnly);
                    return new CreateTopicsResponse.TopicItem { Name = topic.Name, ErrorCode = (short)error, ErrorMessage = message };
                }),
            };
        }
    }

    public DeleteTopicsResponse Delete(DeleteTopicsRequest request)
    {
        lock (_lock)
        {
            return new DeleteTopicsResponse
            {
                Responses = request.TopicNames.ConvertAll(name =>
                {
                    Topic? topic = broker.Topics.Find(name);
                    ErrorCode error = topic is null ? ErrorCode.UnknownTopicOrPartition : topic.IsInternal ? ErrorCode.InvalidTopic : ErrorCode.None;
                    if (error == ErrorCode.None)
                    {
                        broker.Topics.Remove(name);
                        broker.DeleteTopic(topic!);
                    }

                    return new DeleteTopicsResponse.TopicItem { Name = name, ErrorCode = (short)error };
                }),
            };
        }
    }

    public CreatePartitionsResponse CreatePartitions(CreatePartitionsRequest request)
    {
        lock (_lock)
        {
            return new CreatePartitionsResponse
            {
                Results = request.Topics.ConvertAll(wanted =>
                {
                    (ErrorCode error, string? message) = Grow(wanted.Name, wanted.Count, request.ValidateOnly);
                    return new CreatePartitionsResponse.TopicItem { Name = wanted.Name, ErrorCode = (short)error, ErrorMessage = message };
                }),
            };
        }
    }

    private (ErrorCode, string?) Create(CreateTopicsRequest.CreatableTopic topic, bool validateOnly)
    {
        if (TopicStore.CheckName(topic.Name) is { } name)
            return (ErrorCode.InvalidTopic, name);
        if (broker.Topics.Find(topic.Name) is not null)
            return (ErrorCode.TopicAlreadyExists, $"Topic '{topic.Name}' already exists.");
        int partitions = topic.Assignments.Count > 0 ? topic.Assignments.Count : topic.NumPartitions == -1 ? broker.Options.DefaultPartitions : topic.NumPartitions;
        if (partitions is < 1 or > MaxPartitions)
            return (ErrorCode.InvalidPartitions, $"Number of partitions was set to {partitions}; it must be from 1 to {MaxPartitions}.");
        if (topic.ReplicationFactor is not (-1 or 1))
            return (ErrorCode.InvalidReplicationFactor, $"Unable to replicate the partition {topic.ReplicationFactor} time(s): The target replication factor of {topic.ReplicationFactor} cannot be reached because only 1 broker(s) are registered.");
        if (topic.Assignments.Any(a => a.BrokerIds.Count != 1 || a.BrokerIds[0] != Broker.NodeId))
            return (ErrorCode.InvalidReplicaAssignment, $"Replicas can only be assigned to the broker {Broker.NodeId}.");
        if (LogConfig.Check(topic.Configs.Select(c => KeyValuePair.Create(c.Name, c.Value))) is { } config)
            return (ErrorCode.InvalidConfig, config);
        if (!validateOnly)
        {
            var created = new Topic(topic.Name, partitions, new LogConfig(topic.Configs.Where(c => c.Value is not null).ToDictionary(c => c.Name, c => c.Value!)), IsInternal: false);
            broker.Topics.Put(created);
            broker.OpenLogs(created);
        }

        return (ErrorCode.None, null);
    }

    private (ErrorCode, string?) Grow(string name, int count, bool validateOnly)
    {
        if (broker.Topics.Find(name) is not { } topic)
            return (ErrorCode.UnknownTopicOrPartition, "This server does not host this topic-partition.");
        if (count <= topic.Partitions || count > MaxPartitions)
            return (ErrorCode.InvalidPartitions, $"The topic {name} currently has {topic.Partitions} partition(s); {count} would not be an increase.");
        if (!validateOnly)
        {
            Topic grown = topic with { Partitions = count };
            broker.Topics.Put(grown);
            broker.OpenLogs(grown);
        }

        return (ErrorCode.None, null);
    }
}
