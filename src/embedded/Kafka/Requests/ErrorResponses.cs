using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>
/// The answer to a request that cannot be answered as a whole: the same error everywhere where the API has one, as Kafka's
/// <c>getErrorResponse</c>.
/// </summary>
internal static class ErrorResponses
{
    private const short BatchedFetchVersion = 8;
    private const short BatchedLeaveVersion = 3;
    private const short BatchedAddVersion = 4;

    /// <summary>
    /// The error of a disk that cannot be written: for what a coordinator keeps, Kafka sends the client to look for it again.
    /// </summary>
    public static ErrorCode StorageErrorOf<TRequest>(TRequest request) =>
        request is InitProducerIdRequest { TransactionalId: null } ? ErrorCode.CoordinatorNotAvailable
        : IsForCoordinator(request, out _) ? ErrorCode.NotCoordinator
        : ErrorCode.KafkaStorageError;

    /// <summary>Whether a request is for one broker, the one that coordinates groups or transactions.</summary>
    public static bool IsForCoordinator<TRequest>(TRequest request, out bool transactions)
    {
        transactions = request is InitProducerIdRequest { TransactionalId: not null } or AddPartitionsToTxnRequest or AddOffsetsToTxnRequest
            or EndTxnRequest or DescribeTransactionsRequest or ListTransactionsRequest;
        return transactions
            || request is JoinGroupRequest or SyncGroupRequest or HeartbeatRequest or LeaveGroupRequest or OffsetCommitRequest
                or OffsetFetchRequest or OffsetDeleteRequest or TxnOffsetCommitRequest
                or DescribeGroupsRequest or ListGroupsRequest or DeleteGroupsRequest or ConsumerGroupHeartbeatRequest
                or ConsumerGroupDescribeRequest;
    }

    /// <summary>The answer; null when the API has no place for an error.</summary>
    public static IKafkaResponse? For<TRequest>(TRequest request, short version, ErrorCode error, string? message = null) =>
        OfRecords(request, error, message)
            ?? OfGroup(request, version, error, message)
            ?? OfTransaction(request, version, error)
            ?? OfTopics(request, version, error, message)
            ?? OfSecurity(request, error, message);

    private static IKafkaResponse? OfRecords<TRequest>(TRequest request, ErrorCode error, string? message) => request switch
    {
        ProduceRequest produce => new ProduceResponse
        {
            Responses = produce.TopicData.ConvertAll(t => new ProduceResponse.TopicItem
            {
                Name = t.Name,
                TopicId = t.TopicId,
                PartitionResponses = t.PartitionData.ConvertAll(p =>
                    new ProduceResponse.TopicItem.PartitionItem
                    {
                        Index = p.Index,
                        ErrorCode = (short)error,
                        BaseOffset = -1,
                        ErrorMessage = message,
                    }),
            }),
        },
        FetchRequest => new FetchResponse { ErrorCode = (short)error },
        ListOffsetsRequest list => new ListOffsetsResponse
        {
            Topics = list.Topics.ConvertAll(t => new ListOffsetsResponse.TopicItem
            {
                Name = t.Name,
                Partitions = t.Partitions.ConvertAll(p =>
                    new ListOffsetsResponse.TopicItem.PartitionItem { PartitionIndex = p.PartitionIndex, ErrorCode = (short)error }),
            }),
        },
        OffsetForLeaderEpochRequest epochs => new OffsetForLeaderEpochResponse
        {
            Topics = epochs.Topics.ConvertAll(t => new OffsetForLeaderEpochResponse.TopicItem
            {
                Topic = t.Topic,
                Partitions = t.Partitions.ConvertAll(p =>
                    new OffsetForLeaderEpochResponse.TopicItem.PartitionItem { Partition = p.Partition, ErrorCode = (short)error }),
            }),
        },
        DeleteRecordsRequest delete => new DeleteRecordsResponse
        {
            Topics = delete.Topics.ConvertAll(t => new DeleteRecordsResponse.TopicItem
            {
                Name = t.Name,
                Partitions = t.Partitions.ConvertAll(p =>
                    new DeleteRecordsResponse.TopicItem.PartitionItem
                    {
                        PartitionIndex = p.PartitionIndex, LowWatermark = -1, ErrorCode = (short)error,
                    }),
            }),
        },
        DescribeProducersRequest describe => new DescribeProducersResponse
        {
            Topics = describe.Topics.ConvertAll(t => new DescribeProducersResponse.TopicItem
            {
                Name = t.Name,
                Partitions = t.PartitionIndexes.ConvertAll(p =>
                    new DescribeProducersResponse.TopicItem.PartitionItem
                    {
                        PartitionIndex = p, ErrorCode = (short)error, ErrorMessage = message,
                    }),
            }),
        },
        _ => null,
    };

    private static IKafkaResponse? OfGroup<TRequest>(TRequest request, short version, ErrorCode error, string? message = null) =>
        request switch
        {
            JoinGroupRequest join => new JoinGroupResponse { ErrorCode = (short)error, MemberId = join.MemberId, ProtocolName = "" },
            SyncGroupRequest => new SyncGroupResponse { ErrorCode = (short)error },
            HeartbeatRequest => new HeartbeatResponse { ErrorCode = (short)error },
            LeaveGroupRequest leave => new LeaveGroupResponse
            {
                ErrorCode = (short)error,
                Members = version < BatchedLeaveVersion
                    ? []
                    : leave.Members.ConvertAll(m =>
                        new LeaveGroupResponse.Member
                        {
                            MemberId = m.MemberId, GroupInstanceId = m.GroupInstanceId, ErrorCode = (short)error,
                        }),
            },
            DescribeGroupsRequest describe =>
                new DescribeGroupsResponse
                {
                    Groups = describe.Groups.ConvertAll(g =>
                        new DescribeGroupsResponse.DescribedGroup { GroupId = g, ErrorCode = (short)error, ErrorMessage = message }),
                },
            ListGroupsRequest => new ListGroupsResponse { ErrorCode = (short)error },
            DeleteGroupsRequest delete =>
                new DeleteGroupsResponse
                {
                    Results = delete.GroupsNames.ConvertAll(g => new DeleteGroupsResponse.Result { GroupId = g, ErrorCode = (short)error }),
                },
            ConsumerGroupHeartbeatRequest heartbeat =>
                new ConsumerGroupHeartbeatResponse { ErrorCode = (short)error, ErrorMessage = message, MemberId = heartbeat.MemberId },
            ConsumerGroupDescribeRequest describe =>
                new ConsumerGroupDescribeResponse
                {
                    Groups = describe.GroupIds.ConvertAll(g =>
                        new ConsumerGroupDescribeResponse.DescribedGroup { GroupId = g, ErrorCode = (short)error, ErrorMessage = message }),
                },
            OffsetCommitRequest commit => new OffsetCommitResponse
            {
                Topics = commit.Topics.ConvertAll(t => new OffsetCommitResponse.TopicItem
                {
                    Name = t.Name,
                    TopicId = t.TopicId,
                    Partitions = t.Partitions.ConvertAll(p =>
                        new OffsetCommitResponse.TopicItem.PartitionItem { PartitionIndex = p.PartitionIndex, ErrorCode = (short)error }),
                }),
            },
            OffsetFetchRequest fetch => new OffsetFetchResponse
            {
                ErrorCode = (short)error,
                Groups = version < BatchedFetchVersion
                    ? []
                    : fetch.Groups.ConvertAll(g => new OffsetFetchResponse.Group { GroupId = g.GroupId, ErrorCode = (short)error }),
                Topics = version >= BatchedFetchVersion ? [] : (fetch.Topics ?? []).ConvertAll(t => new OffsetFetchResponse.TopicItem
                {
                    Name = t.Name,
                    Partitions = t.PartitionIndexes.ConvertAll(p =>
                        new OffsetFetchResponse.TopicItem.PartitionItem
                        {
                            PartitionIndex = p, CommittedOffset = -1, ErrorCode = (short)error,
                        }),
                }),
            },
            OffsetDeleteRequest => new OffsetDeleteResponse { ErrorCode = (short)error },
            _ => null,
        };

    private static IKafkaResponse? OfTransaction<TRequest>(TRequest request, short version, ErrorCode error) => request switch
    {
        InitProducerIdRequest => new InitProducerIdResponse { ErrorCode = (short)error },
        AddPartitionsToTxnRequest add when version >= BatchedAddVersion => new AddPartitionsToTxnResponse
        {
            ResultsByTransaction = add.Transactions.ConvertAll(transaction => new AddPartitionsToTxnResponse.Transaction
            {
                TransactionalId = transaction.TransactionalId,
                TopicResults = transaction.Topics.ConvertAll(t => new AddPartitionsToTxnResponse.Transaction.TransactionTopic
                {
                    Name = t.Name,
                    ResultsByPartition = t.Partitions.ConvertAll(p =>
                        new AddPartitionsToTxnResponse.Transaction.TransactionTopic.TransactionPartition
                        {
                            PartitionIndex = p, PartitionErrorCode = (short)error,
                        }),
                }),
            }),
        },
        AddPartitionsToTxnRequest add => new AddPartitionsToTxnResponse
        {
            Results = add.Topics.ConvertAll(t => new AddPartitionsToTxnResponse.TopicItem
            {
                Name = t.Name,
                Partitions = t.Partitions.ConvertAll(p =>
                    new AddPartitionsToTxnResponse.TopicItem.PartitionItem { PartitionIndex = p, PartitionErrorCode = (short)error }),
            }),
        },
        AddOffsetsToTxnRequest => new AddOffsetsToTxnResponse { ErrorCode = (short)error },
        EndTxnRequest => new EndTxnResponse { ErrorCode = (short)error },
        TxnOffsetCommitRequest commit => new TxnOffsetCommitResponse
        {
            Topics = commit.Topics.ConvertAll(t => new TxnOffsetCommitResponse.TopicItem
            {
                Name = t.Name,
                Partitions = t.Partitions.ConvertAll(p =>
                    new TxnOffsetCommitResponse.TopicItem.PartitionItem { PartitionIndex = p.PartitionIndex, ErrorCode = (short)error }),
            }),
        },
        DescribeTransactionsRequest describe =>
            new DescribeTransactionsResponse
            {
                TransactionStates = describe.TransactionalIds.ConvertAll(id =>
                    new DescribeTransactionsResponse.State { TransactionalId = id, ErrorCode = (short)error }),
            },
        ListTransactionsRequest => new ListTransactionsResponse { ErrorCode = (short)error },
        _ => null,
    };

    private static IKafkaResponse? OfTopics<TRequest>(TRequest request, short version, ErrorCode error, string? message) => request switch
    {
        CreateTopicsRequest create =>
            new CreateTopicsResponse
            {
                Topics = create.Topics.ConvertAll(t =>
                    new CreateTopicsResponse.TopicItem { Name = t.Name, ErrorCode = (short)error, ErrorMessage = message }),
            },
        DeleteTopicsRequest delete => new DeleteTopicsResponse
        {
            Responses = version >= TopicRequests.TopicIdVersion
                ? delete.Topics.ConvertAll(t =>
                    new DeleteTopicsResponse.TopicItem
                    {
                        Name = t.Name,
                        TopicId = t.TopicId,
                        ErrorCode = (short)error,
                        ErrorMessage = message,
                    })
                : delete.TopicNames.ConvertAll(n =>
                    new DeleteTopicsResponse.TopicItem { Name = n, ErrorCode = (short)error, ErrorMessage = message }),
        },
        CreatePartitionsRequest create =>
            new CreatePartitionsResponse
            {
                Results = create.Topics.ConvertAll(t =>
                    new CreatePartitionsResponse.TopicItem { Name = t.Name, ErrorCode = (short)error, ErrorMessage = message }),
            },
        AlterConfigsRequest alter =>
            new AlterConfigsResponse
            {
                Responses = alter.Resources.ConvertAll(r =>
                    new AlterConfigsResponse.Result
                    {
                        ResourceType = r.ResourceType,
                        ResourceName = r.ResourceName,
                        ErrorCode = (short)error,
                        ErrorMessage = message,
                    }),
            },
        IncrementalAlterConfigsRequest alter => new IncrementalAlterConfigsResponse
        {
            Responses = alter.Resources.ConvertAll(r =>
                new IncrementalAlterConfigsResponse.Result
                {
                    ResourceType = r.ResourceType,
                    ResourceName = r.ResourceName,
                    ErrorCode = (short)error,
                    ErrorMessage = message,
                }),
        },
        _ => null,
    };

    private static IKafkaResponse? OfSecurity<TRequest>(TRequest request, ErrorCode error, string? message) => request switch
    {
        AlterUserScramCredentialsRequest alter => new AlterUserScramCredentialsResponse
        {
            Results = [.. alter.Deletions.Select(d => d.Name).Concat(alter.Upsertions.Select(u => u.Name)).Distinct().Select(u =>
                new AlterUserScramCredentialsResponse.Result { User = u, ErrorCode = (short)error, ErrorMessage = message })],
        },
        AlterClientQuotasRequest alter => new AlterClientQuotasResponse
        {
            Entries = alter.Entries.ConvertAll(e => new AlterClientQuotasResponse.Entry
            {
                ErrorCode = (short)error,
                ErrorMessage = message,
                Entity = e.Entity.ConvertAll(p =>
                    new AlterClientQuotasResponse.Entry.EntityPart { EntityType = p.EntityType, EntityName = p.EntityName }),
            }),
        },
        _ => null,
    };
}
