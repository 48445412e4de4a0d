using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>CreateTopics, DeleteTopics, CreatePartitions.</summary>
internal sealed class TopicRequests(Broker broker)
{
    public const short TopicIdVersion = 6;

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
                    return Answer(topic, error, message);
                }),
            };
        }
    }

    public DeleteTopicsResponse Delete(RequestContext context, DeleteTopicsRequest request)
    {
        List<(string? Name, Guid Id)> wanted = context.Version >= TopicIdVersion
            ? request.Topics.ConvertAll(t => (t.Name, t.TopicId))
            : request.TopicNames.ConvertAll(n => ((string?)n, Guid.Empty));
        lock (_lock)
        {
            List<Deletion> deletions = wanted.ConvertAll(w =>
                new Deletion(w.Name, w.Id, (w.Name is null) == (w.Id == Guid.Empty)
                    ? null
                    : w.Name is { } name
                    ? broker.Topics.Find(name)
                    : broker.Topics.Find(w.Id)));
            List<ErrorCode> errors = deletions.ConvertAll(d => Check(d, deletions));
            broker.DeleteTopics([.. deletions.Where((_, at) => errors[at] == ErrorCode.None).Select(d => d.Topic!)]);
            return new DeleteTopicsResponse { Responses = [.. deletions.Select((d, at) => Answer(d, errors[at]))] };
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
                    (ErrorCode error, string? message) = Grow(wanted, request.ValidateOnly);
                    return new CreatePartitionsResponse.TopicItem { Name = wanted.Name, ErrorCode = (short)error, ErrorMessage = message };
                }),
            };
        }
    }

    // A topic is named either by its name or by its id. One that is named twice, be it once so and once so, is not deleted.
    private static ErrorCode Check(Deletion deletion, List<Deletion> all) => deletion switch
    {
        _ when (deletion.Name is null) == (deletion.Id == Guid.Empty) => ErrorCode.InvalidRequest,
        _ when all.Count(o => (o.Name, o.Id) == (deletion.Name, deletion.Id) || (o.Topic is not null && o.Topic == deletion.Topic)) > 1 =>
            ErrorCode.InvalidRequest,
        { Topic: null } => deletion.Name is null ? ErrorCode.UnknownTopicId : ErrorCode.UnknownTopicOrPartition,
        { Topic.IsInternal: true } => ErrorCode.InvalidTopic,
        _ => ErrorCode.None,
    };

    private static DeleteTopicsResponse.TopicItem Answer(Deletion deletion, ErrorCode error) =>
        new()
        {
            Name = deletion.Topic?.Name ?? deletion.Name,
            TopicId = deletion.Topic?.Id ?? deletion.Id,
            ErrorCode = (short)error,
            ErrorMessage = error == ErrorCode.None ? null : error.ToString(),
        };

    private (ErrorCode, string?) Create(CreateTopicsRequest.CreatableTopic topic, bool validateOnly)
    {
        if (TopicStore.CheckName(topic.Name) is { } name)
            return (ErrorCode.InvalidTopic, name);
        if (broker.Topics.Find(topic.Name) is not null)
            return (ErrorCode.TopicAlreadyExists, $"Topic '{topic.Name}' already exists.");
        if (broker.Topics.CollidingWith(topic.Name) is { } collides)
            return (ErrorCode.InvalidTopic, $"Topic '{topic.Name}' collides with existing topic: {collides.Name}");
        if (topic.Assignments.Count > 0 && (topic.NumPartitions != -1 || topic.ReplicationFactor != -1))
            return (ErrorCode.InvalidRequest,
                $"A manual partition assignment was specified, "
                    + $"but {(topic.ReplicationFactor != -1 ? "replication factor" : "numPartitions")} was not set to -1.");
        int partitions = PartitionsOf(topic);
        if (partitions < 1 || partitions > broker.Options.MaxPartitions)
            return (ErrorCode.InvalidPartitions,
                $"Number of partitions was set to {partitions}; it must be from 1 to {broker.Options.MaxPartitions}.");
        if (topic.ReplicationFactor != -1 && (topic.ReplicationFactor < 1 || topic.ReplicationFactor > broker.BrokerCount))
            return (ErrorCode.InvalidReplicationFactor,
                $"Unable to replicate the partition {topic.ReplicationFactor} time(s): The target replication factor "
                    + $"of {topic.ReplicationFactor} cannot be reached because only {broker.BrokerCount} broker(s) are registered.");
        if (CheckAssignments(topic.Assignments.Select(a => a.BrokerIds)) is { } assignment)
            return (ErrorCode.InvalidReplicaAssignment, assignment);
        if (!topic.Assignments.Select(a => a.PartitionIndex).Order().SequenceEqual(Enumerable.Range(0, topic.Assignments.Count)))
            return (ErrorCode.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence");
        if (LogConfig.Check(topic.Configs.Select(c => KeyValuePair.Create(c.Name, c.Value)), broker.Configs.TopicDefaults) is { } config)
            return (ErrorCode.InvalidConfig, config);
        if (!validateOnly)
            broker.CreateTopic(topic.Name, partitions, ConfigsOf(topic), FactorOf(topic));
        return (ErrorCode.None, null);
    }

    // What is wrong with replicas that were assigned by hand, in Kafka's words; null: nothing.
    private string? CheckAssignments(IEnumerable<List<int>> assignments)
    {
        foreach (List<int> replicas in assignments)
        {
            if (replicas.Count == 0)
                return "The manual partition assignment includes an empty replica list.";
            if (replicas.FindIndex(r => r < broker.NodeId || r >= broker.NodeId + broker.BrokerCount) is var unknown and >= 0)
                return $"The manual partition assignment includes broker {replicas[unknown]}, but no such broker is registered.";
            if (replicas.Distinct().Count() < replicas.Count)
                return $"The manual partition assignment includes the broker {replicas.GroupBy(r => r).First(g => g.Count() > 1).Key} "
                    + $"more than once.";
        }

        return null;
    }

    private static Dictionary<string, string> ConfigsOf(CreateTopicsRequest.CreatableTopic topic) =>
        topic.Configs.Where(c => c.Value is not null).DistinctBy(c => c.Name).ToDictionary(c => c.Name, c => c.Value!);

    private static short FactorOf(CreateTopicsRequest.CreatableTopic topic) =>
        topic.Assignments.Count > 0
            ? (short)topic.Assignments[0].BrokerIds.Count
            : topic.ReplicationFactor == -1
            ? (short)1
            : topic.ReplicationFactor;

    private int PartitionsOf(CreateTopicsRequest.CreatableTopic topic) =>
        topic.Assignments.Count > 0
            ? topic.Assignments.Count
            : topic.NumPartitions == -1
            ? broker.Options.DefaultPartitions
            : topic.NumPartitions;

    private CreateTopicsResponse.TopicItem Answer(CreateTopicsRequest.CreatableTopic topic, ErrorCode error, string? message)
    {
        if (error != ErrorCode.None)
            return new CreateTopicsResponse.TopicItem { Name = topic.Name, ErrorCode = (short)error, ErrorMessage = message };
        Dictionary<string, string> set = ConfigsOf(topic);
        return new CreateTopicsResponse.TopicItem
        {
            Name = topic.Name,
            TopicId = broker.Topics.Find(topic.Name)?.Id ?? Guid.Empty,
            NumPartitions = PartitionsOf(topic),
            ReplicationFactor = FactorOf(topic),
            Configs = [.. LogConfig.All.Select(d =>
            {
                ConfigValue value = ConfigResource.SourcesOf(broker, set, d).Append(ConfigValue.DefaultOf(d)).First();
                return new CreateTopicsResponse.TopicItem.Config { Name = d.Name, Value = value.Value, ConfigSource = (sbyte)value.Source };
            })],
        };
    }

    private (ErrorCode, string?) Grow(CreatePartitionsRequest.TopicItem wanted, bool validateOnly)
    {
        (string name, int count) = (wanted.Name, wanted.Count);
        if (broker.Topics.Find(name) is not { } topic)
            return (ErrorCode.UnknownTopicOrPartition, "This server does not host this topic-partition.");
        if (count == topic.Partitions)
            return (ErrorCode.InvalidPartitions, $"Topic already has {count} partition(s).");
        if (count < topic.Partitions || count > broker.Options.MaxPartitions)
            return (ErrorCode.InvalidPartitions,
                $"The topic {name} currently has {topic.Partitions} partition(s); {count} would not be an increase.");
        if (wanted.Assignments is { } assignments)
        {
            int more = count - topic.Partitions;
            if (assignments.Count != more)
                return (ErrorCode.InvalidReplicaAssignment,
                    $"Attempted to add {more} additional partition(s), but only {assignments.Count} assignment(s) were specified.");
            if (CheckAssignments(assignments.Select(a => a.BrokerIds)) is { } wrong)
                return (ErrorCode.InvalidReplicaAssignment, wrong);
        }

        if (!validateOnly)
            broker.GrowTopic(name, count);

        return (ErrorCode.None, null);
    }

    private sealed record Deletion(string? Name, Guid Id, Topic? Topic);
}
