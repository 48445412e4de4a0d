using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>
/// One broker of a <see cref="Cluster"/>, in front of the handlers that all of them share: it answers what is for another broker as Kafka
/// does, and tells clients of the cluster what it knows of it.
/// </summary>
internal sealed class ClusterNode(int id, Broker broker, Cluster cluster) : ILeadership
{
    private const sbyte GroupKey = 0;

    public ErrorCode Check(TopicPartition partition, int knownEpoch = -1)
    {
        if (broker.Topics.Find(partition.Topic) is not { } topic || !cluster.Sees(id, topic) || cluster.StateOf(partition) is not { } state)
            return ErrorCode.UnknownTopicOrPartition;
        return state.Leader != id || broker.Time.GetUtcNow() < state.ServesFrom ? ErrorCode.NotLeaderOrFollower
            : knownEpoch > state.Epoch ? ErrorCode.UnknownLeaderEpoch
            : knownEpoch >= 0 && knownEpoch < state.Epoch ? ErrorCode.FencedLeaderEpoch
            : ErrorCode.None;
    }

    public int EpochOf(TopicPartition partition) => cluster.StateOf(partition)?.Epoch ?? 0;

    public bool HasEnoughReplicas(TopicPartition partition) =>
        cluster.StateOf(partition) is { } state
            && broker.Logs.Get(partition) is { } log
            && cluster.InSync(state).Count() >= log.Config.MinInSyncReplicas;

    /// <summary>Answers a request, by <paramref name="handle"/> where it is for this broker.</summary>
    public ValueTask<IKafkaResponse?> Handle<T>(RequestContext context, T request,
        Func<RequestContext, T, ValueTask<IKafkaResponse?>> handle)
    {
        if (ErrorResponses.IsForCoordinator(request, out bool transactions)
            && cluster.CheckCoordinator(id, transactions) is var error and not ErrorCode.None)
        {
            // Who lists asks every broker for its own.
            if (error == ErrorCode.NotCoordinator && request is ListGroupsRequest or ListTransactionsRequest)
                error = ErrorCode.None;
            return new(request switch
            {
                ListGroupsRequest when error == ErrorCode.None => new ListGroupsResponse(),
                ListTransactionsRequest when error == ErrorCode.None => new ListTransactionsResponse(),
                _ => ErrorResponses.For(request, context.Version, error),
            });
        }

        if (request is FindCoordinatorRequest find)
            return new(Find(context, find));
        ValueTask<IKafkaResponse?> answer = handle(context, request);
        if (!answer.IsCompletedSuccessfully)
            return answer;
        switch (answer.Result)
        {
            case MetadataResponse metadata:
                Tell(metadata);
                return new(metadata);
            case DescribeTopicPartitionsResponse described:
                Tell(described);
                return new(described);
            case DescribeClusterResponse { ErrorCode: 0 } described:
                described.ControllerId = cluster.NextController();
                described.Brokers = [.. cluster.Known.Select(m =>
                    new DescribeClusterResponse.Broker { BrokerId = m.Id, Host = m.Host, Port = m.Port })];
                return new(described);
            case DescribeConfigsResponse described:
                foreach (DescribeConfigsResponse.Result result in described.Results.Where(r =>
                    r.ResourceType == ConfigResource.TopicType && IsHidden(r.ResourceName)))
                    (result.ErrorCode, result.ErrorMessage, result.Configs) = ((short)ErrorCode.UnknownTopicOrPartition,
                        "This server does not host this topic-partition.", []);
                return new(described);
            case IKafkaResponse other:
                return new(other);
            default:
                return new((IKafkaResponse?)null);
        }
    }

    private bool IsHidden(string topic) => broker.Topics.Find(topic) is { } known && !cluster.Sees(id, known);

    private FindCoordinatorResponse Find(RequestContext context, FindCoordinatorRequest request)
    {
        ClusterMember? member = request.KeyType is GroupKey or FindCoordinatorHandler.TransactionKey
            ? cluster.CoordinatorOf(request.KeyType == FindCoordinatorHandler.TransactionKey)
            : null;
        ErrorCode error = request.KeyType is < GroupKey or > FindCoordinatorHandler.TransactionKey
            ? ErrorCode.InvalidRequest
            : member is null
            ? ErrorCode.CoordinatorNotAvailable
            : ErrorCode.None;
        string? message = error == ErrorCode.None
            ? null
            : error == ErrorCode.InvalidRequest
            ? $"Unknown coordinator type {request.KeyType}."
            : "The coordinator is not available.";
        return FindCoordinatorHandler.Answer(context, request, error, message, member?.Id ?? -1, member?.Host ?? "", member?.Port ?? -1);
    }

    private void Tell(MetadataResponse metadata)
    {
        metadata.ControllerId = cluster.NextController();
        metadata.Brokers = [.. cluster.Known.Select(m => new MetadataResponse.Broker { NodeId = m.Id, Host = m.Host, Port = m.Port })];
        foreach (MetadataResponse.TopicItem topic in metadata.Topics.Where(t => t.ErrorCode == 0))
        {
            if (IsHidden(topic.Name!))
            {
                (topic.ErrorCode, topic.TopicId, topic.Partitions) = ((short)ErrorCode.UnknownTopicOrPartition, Guid.Empty, []);
                continue;
            }

            foreach (MetadataResponse.TopicItem.PartitionItem partition in topic.Partitions)
            {
                if (cluster.StateOf(new TopicPartition(topic.Name!, partition.PartitionIndex)) is not { } state)
                    continue;
                int leader = cluster.Known.Any(m => m.Id == state.Leader) ? state.Leader : -1;
                (partition.LeaderId, partition.LeaderEpoch, partition.ReplicaNodes, partition.IsrNodes) = (leader, state.Epoch,
                    [.. state.Replicas], [.. cluster.InSync(state)]);
                partition.OfflineReplicas = [.. state.Replicas.Except(partition.IsrNodes)];
                partition.ErrorCode = (short)(leader < 0 ? ErrorCode.LeaderNotAvailable : ErrorCode.None);
            }
        }
    }

    private void Tell(DescribeTopicPartitionsResponse described)
    {
        foreach (DescribeTopicPartitionsResponse.TopicItem topic in described.Topics.Where(t => t.ErrorCode == 0))
        {
            if (IsHidden(topic.Name!))
            {
                (topic.ErrorCode, topic.Partitions) = ((short)ErrorCode.UnknownTopicOrPartition, []);
                continue;
            }

            foreach (DescribeTopicPartitionsResponse.TopicItem.PartitionItem partition in topic.Partitions)
            {
                if (cluster.StateOf(new TopicPartition(topic.Name!, partition.PartitionIndex)) is not { } state)
                    continue;
                (partition.LeaderId, partition.LeaderEpoch, partition.ReplicaNodes, partition.IsrNodes) = (state.Leader, state.Epoch,
                    [.. state.Replicas], [.. cluster.InSync(state)]);
                partition.ErrorCode = (short)(state.Leader < 0 ? ErrorCode.LeaderNotAvailable : ErrorCode.None);
            }
        }
    }
}
