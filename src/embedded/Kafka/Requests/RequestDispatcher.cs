using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>The header of a request.</summary>
internal readonly record struct RequestHeader(short ApiKey, short ApiVersion, int CorrelationId, string ClientId);

/// <summary>One API: its versions, and its handler.</summary>
internal sealed record Api(ApiVersionRange Range, ApiHandler Handle);

/// <summary>Reads the request and answers it; null: there is no answer.</summary>
internal delegate ValueTask<IKafkaResponse?> ApiHandler(RequestContext context, ReadOnlyMemory<byte> body);

/// <summary>The table of APIs. Telemetry is not in it, as on every Kafka broker without a receiver for it.</summary>
internal sealed class RequestDispatcher
{
    private readonly Dictionary<short, Api> _apis = [];
    private readonly Broker _broker;
    private readonly ClusterNode? _node;

    /// <summary>The handlers of a broker; of a <paramref name="node"/> of its cluster, where it has one.</summary>
    public RequestDispatcher(Broker broker, ClusterNode? node = null)
    {
        (_broker, _node) = (broker, node);
        Add<ApiVersionsRequest>((_, _) => Versions(ErrorCode.None));
        AddRecords(broker);
        AddTopics(broker);
        AddGroups(broker);
        AddTransactions(broker);
        AddSecurity(broker);
        AddCluster(broker);
    }

    public Api? Find(short key) => _apis.GetValueOrDefault(key);

    /// <summary>The versions that this node speaks.</summary>
    public ApiVersionsResponse Versions(ErrorCode error) => new()
    {
        ErrorCode = (short)error,
        ApiKeys = [.. _apis.Values.OrderBy(a => a.Range.Key).Select(a =>
            new ApiVersionsResponse.ApiVersion { ApiKey = a.Range.Key, MinVersion = a.Range.MinVersion, MaxVersion = a.Range.MaxVersion })],
        SupportedFeatures = [.. Features.Levels.Select(f =>
            new ApiVersionsResponse.SupportedFeature { Name = f.Key, MinVersion = 0, MaxVersion = f.Value })],
        FinalizedFeaturesEpoch = 0,
        FinalizedFeatures = [.. Features.Levels.Select(f =>
            new ApiVersionsResponse.FinalizedFeature { Name = f.Key, MinVersionLevel = f.Value, MaxVersionLevel = f.Value })],
    };

    private void AddRecords(Broker broker)
    {
        ILeadership leadership = (ILeadership?)_node ?? new SoleLeader();
        var logs = new LedLogs(broker, leadership);
        Add<ProduceRequest>(new ProduceHandler(broker, leadership, logs).Handle);
        AddAsync<FetchRequest>(new FetchHandler(broker, leadership).Handle);
        Add<ListOffsetsRequest>(new ListOffsetsHandler(leadership, logs).Handle);
        Add<OffsetForLeaderEpochRequest>(new OffsetForLeaderEpochHandler(leadership, logs).Handle);
        Add<DeleteRecordsRequest>(new DeleteRecordsHandler(broker, logs).Handle);
        Add<DescribeProducersRequest>(new DescribeProducersHandler(logs).Handle);
        Add<WriteTxnMarkersRequest>(new WriteTxnMarkersHandler(broker).Handle);
    }

    private void AddTopics(Broker broker)
    {
        var topics = new TopicRequests(broker);
        var configs = new ConfigRequests(broker);
        Add<MetadataRequest>(new MetadataHandler(broker).Handle);
        Add<DescribeTopicPartitionsRequest>(new DescribeTopicPartitionsHandler(broker).Handle);
        Add<DescribeClusterRequest>(new DescribeClusterHandler(broker).Handle);
        Add<FindCoordinatorRequest>(new FindCoordinatorHandler(broker).Handle);
        Add<CreateTopicsRequest>((_, r) => topics.Create(r));
        Add<DeleteTopicsRequest>(topics.Delete);
        Add<CreatePartitionsRequest>((_, r) => topics.CreatePartitions(r));
        Add<DescribeConfigsRequest>((_, r) => configs.Describe(r));
        Add<AlterConfigsRequest>((_, r) => configs.Alter(r));
        Add<IncrementalAlterConfigsRequest>((_, r) => configs.AlterIncrementally(r));
        Add<ListConfigResourcesRequest>(configs.List);
    }

    private void AddGroups(Broker broker)
    {
        AddTask<JoinGroupRequest, JoinGroupResponse>(broker.Groups.JoinGroup);
        AddTask<SyncGroupRequest, SyncGroupResponse>((_, r) => broker.Groups.SyncGroup(r));
        Add<HeartbeatRequest>((_, r) => broker.Groups.Heartbeat(r));
        Add<LeaveGroupRequest>(broker.Groups.LeaveGroup);
        Add<OffsetCommitRequest>(broker.Groups.CommitOffsets);
        Add<OffsetFetchRequest>(broker.Groups.FetchOffsets);
        Add<OffsetDeleteRequest>((_, r) => broker.Groups.DeleteOffsets(r));
        Add<DescribeGroupsRequest>(broker.Groups.DescribeGroups);
        Add<ListGroupsRequest>((_, r) => broker.Groups.ListGroups(r));
        Add<DeleteGroupsRequest>((_, r) => broker.Groups.DeleteGroups(r));
        Add<ConsumerGroupHeartbeatRequest>(broker.Groups.ConsumerGroupHeartbeat);
        Add<ConsumerGroupDescribeRequest>((_, r) => broker.Groups.ConsumerGroupDescribe(r));
    }

    private void AddTransactions(Broker broker)
    {
        Add<InitProducerIdRequest>((_, r) => broker.Transactions.InitProducerId(r));
        Add<AddPartitionsToTxnRequest>(broker.Transactions.AddPartitions);
        Add<AddOffsetsToTxnRequest>(broker.Transactions.AddOffsets);
        Add<EndTxnRequest>(broker.Transactions.EndTransaction);
        Add<TxnOffsetCommitRequest>(broker.Transactions.CommitOffsets);
        Add<DescribeTransactionsRequest>((_, r) => broker.Transactions.Describe(r));
        Add<ListTransactionsRequest>((_, r) => broker.Transactions.List(r));
    }

    private void AddSecurity(Broker broker)
    {
        // A connection that has to log in answers these two itself, and lets nothing else pass before.
        Add<SaslHandshakeRequest>((_, _) => new SaslHandshakeResponse { ErrorCode = (short)ErrorCode.IllegalSaslState });
        Add<SaslAuthenticateRequest>((_, _) =>
            new SaslAuthenticateResponse
            {
                ErrorCode = (short)ErrorCode.IllegalSaslState,
                ErrorMessage = "SaslAuthenticate request received after successful authentication",
            });
        Add<DescribeUserScramCredentialsRequest>(new DescribeUserScramCredentialsHandler(broker).Handle);
        Add<AlterUserScramCredentialsRequest>(new AlterUserScramCredentialsHandler(broker).Handle);
        Add<DescribeAclsRequest>((_, _) => AclHandler.DescribeAcls());
        Add<CreateAclsRequest>((_, r) => AclHandler.CreateAcls(r));
        Add<DeleteAclsRequest>((_, r) => AclHandler.DeleteAcls(r));
        Add<DescribeClientQuotasRequest>((_, r) => QuotaRequests.Describe(r));
        Add<AlterClientQuotasRequest>((_, r) => QuotaRequests.Alter(r));
        Add<CreateDelegationTokenRequest>((_, _) =>
            new CreateDelegationTokenResponse { ErrorCode = (short)ErrorCode.DelegationTokenAuthDisabled });
        Add<RenewDelegationTokenRequest>((_, _) =>
            new RenewDelegationTokenResponse { ErrorCode = (short)ErrorCode.DelegationTokenAuthDisabled });
        Add<ExpireDelegationTokenRequest>((_, _) =>
            new ExpireDelegationTokenResponse { ErrorCode = (short)ErrorCode.DelegationTokenAuthDisabled });
        Add<DescribeDelegationTokenRequest>((_, _) =>
            new DescribeDelegationTokenResponse { ErrorCode = (short)ErrorCode.DelegationTokenAuthDisabled });
    }

    private void AddCluster(Broker broker)
    {
        Add<UpdateFeaturesRequest>(UpdateFeaturesHandler.Handle);
        Add<ElectLeadersRequest>(new ElectLeadersHandler(broker).Handle);
        Add<AlterPartitionReassignmentsRequest>(new AlterPartitionReassignmentsHandler(broker).Handle);
        Add<ListPartitionReassignmentsRequest>((_, _) => new ListPartitionReassignmentsResponse());
        Add<DescribeQuorumRequest>(new DescribeQuorumHandler(broker).Handle);
        Add<UnregisterBrokerRequest>(new UnregisterBrokerHandler(broker).Handle);
        Add<DescribeLogDirsRequest>(new DescribeLogDirsHandler(broker).Handle);
        Add<AlterReplicaLogDirsRequest>(new AlterReplicaLogDirsHandler(broker).Handle);
    }

    private static T Read<T>(ReadOnlyMemory<byte> body, short version)
        where T : IKafkaRequest<T>
    {
        var reader = new KafkaReader(body);
        return T.Read(ref reader, version);
    }

    private void Add<T>(Func<RequestContext, T, IKafkaResponse?> handle)
        where T : IKafkaRequest<T> => AddAsync<T>((context, request) => new(handle(context, request)));

    private void Add<T>(Func<T, IKafkaResponse?> handle)
        where T : IKafkaRequest<T> => Add<T>((_, request) => handle(request));

    private void AddTask<T, TResponse>(Func<RequestContext, T, Task<TResponse>> handle)
        where T : IKafkaRequest<T>
        where TResponse : IKafkaResponse
    {
        AddAsync<T>((context, request) =>
        {
            Task<TResponse> answer = handle(context, request);
            return answer.IsCompletedSuccessfully ? new(answer.Result) : Wait(answer);
        });
        static async ValueTask<IKafkaResponse?> Wait(Task<TResponse> answer) => await answer.ConfigureAwait(false);
    }

    private void AddAsync<T>(Func<RequestContext, T, ValueTask<IKafkaResponse?>> handle)
        where T : IKafkaRequest<T> => Put(_node is null ? handle : (context, request) => _node.Handle(context, request, handle));

    private void Put<T>(Func<RequestContext, T, ValueTask<IKafkaResponse?>> handle)
        where T : IKafkaRequest<T> => _apis.Add(T.Api.Key, new Api(T.Api, (context, body) =>
    {
        T request = Read<T>(body, context.Version);
        try
        {
            ValueTask<IKafkaResponse?> answer = handle(context, request);
            return answer.IsCompletedSuccessfully ? answer : Finish(context, request, answer);
        }
        catch (Exception fault) when (StorageHealth.IsFault(fault))
        {
            return new(Refuse(context, request, fault));
        }
    }));

    private async ValueTask<IKafkaResponse?> Finish<T>(RequestContext context, T request, ValueTask<IKafkaResponse?> answer)
    {
        try
        {
            return await answer.ConfigureAwait(false);
        }
        catch (Exception fault) when (StorageHealth.IsFault(fault))
        {
            return Refuse(context, request, fault);
        }
    }

    // What cannot be written or read, as on a full disk, is refused with Kafka's error for it: clients try again, people read why.
    private IKafkaResponse Refuse<T>(RequestContext context, T request, Exception fault)
    {
        if (fault is not KafkaStorageException) // of that the log has told
            _broker.Logs.Health.Failed(_broker.Directory, fault);
        return ErrorResponses.For(request, context.Version, ErrorResponses.StorageErrorOf(request), fault.Message)
            ?? throw new IOException($"{typeof(T).Name} has no answer for a fault of the disk.", fault);
    }
}
