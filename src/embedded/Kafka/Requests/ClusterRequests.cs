using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>Requests about replicas, folders and features, as a cluster of one node answers them.</summary>
internal sealed class ClusterRequests(Broker broker)
{
    private const short TopLevelErrorOnlyVersion = 2;

    /// <summary>The features that ApiVersions tells of, and their levels here.</summary>
    public static IReadOnlyDictionary<string, short> Features { get; } = new Dictionary<string, short> { ["group.version"] = 1, ["transaction.version"] = 2 };

    public UpdateFeaturesResponse UpdateFeatures(RequestContext context, UpdateFeaturesRequest request)
    {
        var results = request.FeatureUpdates.ConvertAll(update =>
        {
            (ErrorCode error, string? message) =
                !Features.TryGetValue(update.Feature, out short level) ? (ErrorCode.InvalidUpdateVersion, $"Invalid update version {update.MaxVersionLevel} for feature {update.Feature}. The feature is unknown to this broker.")
                : update.MaxVersionLevel != level ? (ErrorCode.InvalidUpdateVersion, $"Invalid update version {update.MaxVersionLevel} for feature {update.Feature}. This broker runs level {level} only.")
                : (ErrorCode.None, (string?)null);
            return new UpdateFeaturesResponse.Result { Feature = update.Feature, ErrorCode = (short)error, ErrorMessage = message };
        });
        UpdateFeaturesResponse.Result? failed = context.Version >= TopLevelErrorOnlyVersion ? results.FirstOrDefault(r => r.ErrorCode != 0) : null;
        return new UpdateFeaturesResponse { Results = results, ErrorCode = failed?.ErrorCode ?? 0, ErrorMessage = failed?.ErrorMessage };
    }

    public ElectLeadersResponse ElectLeaders(ElectLeadersRequest request)
    {
        if (request.TopicPartitions is null)
            return new ElectLeadersResponse(); // of all partitions only those are told that needed an election
        return new ElectLeadersResponse
        {
            ReplicaElectionResults = request.TopicPartitions.ConvertAll(topic => new ElectLeadersResponse.TopicItem
            {
                Topic = topic.Topic,
                PartitionResult = topic.Partitions.ConvertAll(partition =>
                {
                    bool known = broker.LogOf(topic.Topic, partition) is not null;
                    return new ElectLeadersResponse.TopicItem.PartitionItem
                    {
                        PartitionId = partition,
                        ErrorCode = (short)(known ? ErrorCode.ElectionNotNeeded : ErrorCode.UnknownTopicOrPartition),
                        ErrorMessage = known ? "Leader election not needed for topic partition." : $"No such topic or partition {topic.Topic}-{partition}",
                    };
                }),
            }),
        };
    }

    public AlterPartitionReassignmentsResponse AlterReassignments(AlterPartitionReassignmentsRequest request) => new()
    {
        Responses = request.Topics.ConvertAll(topic => new AlterPartitionReassignmentsResponse.TopicItem
        {
            Name = topic.Name,
            Partitions = topic.Partitions.ConvertAll(partition =>
            {
                (ErrorCode error, string? message) =
                    broker.LogOf(topic.Name, partition.PartitionIndex) is null ? (ErrorCode.UnknownTopicOrPartition, "The topic or the partition does not exist.")
                    : partition.Replicas is null ? (ErrorCode.NoReassignmentInProgress, "No reassignment is in progress.")
                    : partition.Replicas is [var only] && only == broker.NodeId ? (ErrorCode.None, (string?)null)
                    : (ErrorCode.InvalidReplicaAssignment, $"Replicas can only be assigned to the broker {broker.NodeId}.");
                return new AlterPartitionReassignmentsResponse.TopicItem.PartitionItem { PartitionIndex = partition.PartitionIndex, ErrorCode = (short)error, ErrorMessage = message };
            }),
        }),
    };

    /// <summary>The quorum of a node that is its own controller. There is no log of metadata here: the changes of topics are counted in its place.</summary>
    public DescribeQuorumResponse DescribeQuorum(DescribeQuorumRequest request)
    {
        const string metadata = "__cluster_metadata";
        long now = broker.Time.GetUtcNow().ToUnixTimeMilliseconds();
        return new DescribeQuorumResponse
        {
            Topics = request.Topics.ConvertAll(topic => new DescribeQuorumResponse.TopicItem
            {
                TopicName = topic.TopicName,
                Partitions = topic.Partitions.ConvertAll(partition => topic.TopicName != metadata || partition.PartitionIndex != 0
                    ? new DescribeQuorumResponse.TopicItem.PartitionItem { PartitionIndex = partition.PartitionIndex, ErrorCode = (short)ErrorCode.UnknownTopicOrPartition, LeaderId = -1 }
                    : new DescribeQuorumResponse.TopicItem.PartitionItem
                    {
                        LeaderId = broker.NodeId,
                        LeaderEpoch = Broker.LeaderEpoch,
                        HighWatermark = broker.Topics.Version,
                        CurrentVoters = [new() { ReplicaId = broker.NodeId, LogEndOffset = broker.Topics.Version, LastFetchTimestamp = now, LastCaughtUpTimestamp = now }],
                    }),
            }),
            Nodes = [new() { NodeId = broker.NodeId, Listeners = [new() { Name = broker.ListenerName, Host = broker.Host, Port = (ushort)broker.Port }] }],
        };
    }

    public UnregisterBrokerResponse Unregister(UnregisterBrokerRequest request) => request.BrokerId == broker.NodeId
        ? new UnregisterBrokerResponse { ErrorCode = (short)ErrorCode.InvalidRequest, ErrorMessage = $"Broker {request.BrokerId} is the only one of this cluster." }
        : new UnregisterBrokerResponse { ErrorCode = (short)ErrorCode.BrokerIdNotRegistered, ErrorMessage = $"Broker ID {request.BrokerId} is not currently registered." };

    public DescribeLogDirsResponse DescribeLogDirs(DescribeLogDirsRequest request)
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
                        Partitions = [.. g.Select(l => new DescribeLogDirsResponse.Result.TopicItem.PartitionItem { PartitionIndex = l.Partition.Partition, PartitionSize = l.Size })],
                    })],
                },
            ],
        };
    }

    public AlterReplicaLogDirsResponse AlterLogDirs(AlterReplicaLogDirsRequest request) => new()
    {
        Results = [.. request.Dirs.SelectMany(d => d.Topics.Select(t => (d.Path, Topic: t))).Select(move => new AlterReplicaLogDirsResponse.TopicItem
        {
            TopicName = move.Topic.Name,
            Partitions = move.Topic.Partitions.ConvertAll(p => new AlterReplicaLogDirsResponse.TopicItem.PartitionItem
            {
                PartitionIndex = p,
                ErrorCode = (short)(move.Path != broker.LogDirectory ? ErrorCode.LogDirNotFound : broker.LogOf(move.Topic.Name, p) is null ? ErrorCode.UnknownTopicOrPartition : ErrorCode.None),
            }),
        })],
    };
}
