using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>The header of a request.</summary>
internal readonly record struct RequestHeader(short ApiKey, short ApiVersion, int CorrelationId, string ClientId);

/// <summary>One API: its versions, from which on it is flexible, and its handler.</summary>
internal sealed record Api(short Key, short MinVersion, short MaxVersion, short FlexibleFrom, ApiHandler Handle);

/// <summary>Reads the request and answers it; null: there is no answer.</summary>
internal delegate ValueTask<IKafkaResponse?> ApiHandler(RequestContext context, ReadOnlyMemory<byte> body, short version);

/// <summary>The table of APIs.</summary>
internal sealed class RequestDispatcher
{
    private readonly Dictionary<short, Api> _apis = [];

    public RequestDispatcher(Broker broker)
    {
        var metadata = new MetadataRequests(broker);
        var records = new RecordRequests(broker);
        var topics = new TopicRequests(broker);
        var configs = new ConfigRequests(broker);
        var groups = new GroupRequests(broker);
        TransactionsOf(broker);

        Add(ApiVersionsRequest.ApiKey, 0, 3, ApiVersionsRequest.FlexibleFrom, (_, _, _) => Now(Versions(ErrorCode.None)));
        Add(MetadataRequest.ApiKey, MetadataRequest.MinVersion, MetadataRequest.MaxVersion, MetadataRequest.FlexibleFrom, (_, b, v) => Now(metadata.Metadata(Read(b, v, MetadataRequest.Read))));
        Add(DescribeClusterRequest.ApiKey, DescribeClusterRequest.MinVersion, DescribeClusterRequest.MaxVersion, DescribeClusterRequest.FlexibleFrom, (_, _, _) => Now(metadata.DescribeCluster()));
        Add(FindCoordinatorRequest.ApiKey, FindCoordinatorRequest.MinVersion, FindCoordinatorRequest.MaxVersion, FindCoordinatorRequest.FlexibleFrom, (_, _, _) => Now(metadata.FindCoordinator()));

        Add(ProduceRequest.ApiKey, ProduceRequest.MinVersion, ProduceRequest.MaxVersion, ProduceRequest.FlexibleFrom, (_, b, v) => Now(records.Produce(Read(b, v, ProduceRequest.Read))));
        Add(FetchRequest.ApiKey, FetchRequest.MinVersion, FetchRequest.MaxVersion, FetchRequest.FlexibleFrom, async (_, b, v) => await records.Fetch(Read(b, v, FetchRequest.Read)).ConfigureAwait(false));
        Add(ListOffsetsRequest.ApiKey, ListOffsetsRequest.MinVersion, ListOffsetsRequest.MaxVersion, ListOffsetsRequest.FlexibleFrom, (_, b, v) => Now(records.ListOffsets(Read(b, v, ListOffsetsRequest.Read))));
        Add(OffsetForLeaderEpochRequest.ApiKey, OffsetForLeaderEpochRequest.MinVersion, OffsetForLeaderEpochRequest.MaxVersion, OffsetForLeaderEpochRequest.FlexibleFrom, (_, b, v) => Now(records.OffsetForLeaderEpoch(Read(b, v, OffsetForLeaderEpochRequest.Read))));
        Add(DeleteRecordsRequest.ApiKey, DeleteRecordsRequest.MinVersion, DeleteRecordsRequest.MaxVersion, DeleteRecordsRequest.FlexibleFrom, (_, b, v) => Now(records.DeleteRecords(Read(b, v, DeleteRecordsRequest.Read))));

        Add(CreateTopicsRequest.ApiKey, CreateTopicsRequest.MinVersion, CreateTopicsRequest.MaxVersion, CreateTopicsRequest.FlexibleFrom, (_, b, v) => Now(topics.Create(Read(b, v, CreateTopicsRequest.Read))));
        Add(DeleteTopicsRequest.ApiKey, DeleteTopicsRequest.MinVersion, DeleteTopicsRequest.MaxVersion, DeleteTopicsRequest.FlexibleFrom, (_, b, v) => Now(topics.Delete(Read(b, v, DeleteTopicsRequest.Read))));
        Add(CreatePartitionsRequest.ApiKey, CreatePartitionsRequest.MinVersion, CreatePartitionsRequest.MaxVersion, CreatePartitionsRequest.FlexibleFrom, (_, b, v) => Now(topics.CreatePartitions(Read(b, v, CreatePartitionsRequest.Read))));
        Add(DescribeConfigsRequest.ApiKey, DescribeConfigsRequest.MinVersion, DescribeConfigsRequest.MaxVersion, DescribeConfigsRequest.FlexibleFrom, (_, b, v) => Now(configs.Describe(Read(b, v, DescribeConfigsRequest.Read))));
        Add(AlterConfigsRequest.ApiKey, AlterConfigsRequest.MinVersion, AlterConfigsRequest.MaxVersion, AlterConfigsRequest.FlexibleFrom, (_, b, v) => Now(configs.Alter(Read(b, v, AlterConfigsRequest.Read))));
        Add(IncrementalAlterConfigsRequest.ApiKey, IncrementalAlterConfigsRequest.MinVersion, IncrementalAlterConfigsRequest.MaxVersion, IncrementalAlterConfigsRequest.FlexibleFrom, (_, b, v) => Now(configs.AlterIncrementally(Read(b, v, IncrementalAlterConfigsRequest.Read))));

        Add(JoinGroupRequest.ApiKey, JoinGroupRequest.MinVersion, JoinGroupRequest.MaxVersion, JoinGroupRequest.FlexibleFrom, async (c, b, v) => await broker.Groups.Join(c, Read(b, v, JoinGroupRequest.Read), v).ConfigureAwait(false));
        Add(SyncGroupRequest.ApiKey, SyncGroupRequest.MinVersion, SyncGroupRequest.MaxVersion, SyncGroupRequest.FlexibleFrom, async (_, b, v) => await broker.Groups.Sync(Read(b, v, SyncGroupRequest.Read)).ConfigureAwait(false));
        Add(HeartbeatRequest.ApiKey, HeartbeatRequest.MinVersion, HeartbeatRequest.MaxVersion, HeartbeatRequest.FlexibleFrom, (_, b, v) => Now(broker.Groups.Heartbeat(Read(b, v, HeartbeatRequest.Read))));
        Add(LeaveGroupRequest.ApiKey, LeaveGroupRequest.MinVersion, LeaveGroupRequest.MaxVersion, LeaveGroupRequest.FlexibleFrom, (_, b, v) => Now(broker.Groups.Leave(Read(b, v, LeaveGroupRequest.Read), v)));
        Add(OffsetCommitRequest.ApiKey, OffsetCommitRequest.MinVersion, OffsetCommitRequest.MaxVersion, OffsetCommitRequest.FlexibleFrom, (_, b, v) => Now(broker.Groups.Commit(Read(b, v, OffsetCommitRequest.Read))));
        Add(OffsetFetchRequest.ApiKey, OffsetFetchRequest.MinVersion, OffsetFetchRequest.MaxVersion, OffsetFetchRequest.FlexibleFrom, (_, b, v) => Now(broker.Groups.Fetch(Read(b, v, OffsetFetchRequest.Read))));
        Add(OffsetDeleteRequest.ApiKey, OffsetDeleteRequest.MinVersion, OffsetDeleteRequest.MaxVersion, OffsetDeleteRequest.FlexibleFrom, (_, b, v) => Now(groups.DeleteOffsets(Read(b, v, OffsetDeleteRequest.Read))));
        Add(DescribeGroupsRequest.ApiKey, DescribeGroupsRequest.MinVersion, DescribeGroupsRequest.MaxVersion, DescribeGroupsRequest.FlexibleFrom, (_, b, v) => Now(groups.Describe(Read(b, v, DescribeGroupsRequest.Read))));
        Add(ListGroupsRequest.ApiKey, ListGroupsRequest.MinVersion, ListGroupsRequest.MaxVersion, ListGroupsRequest.FlexibleFrom, (_, b, v) => Now(groups.List(Read(b, v, ListGroupsRequest.Read))));
        Add(DeleteGroupsRequest.ApiKey, DeleteGroupsRequest.MinVersion, DeleteGroupsRequest.MaxVersion, DeleteGroupsRequest.FlexibleFrom, (_, b, v) => Now(groups.Delete(Read(b, v, DeleteGroupsRequest.Read))));
    }

    private delegate T ReadMessage<out T>(ref KafkaReader reader, short version);

    public Api? Find(short key) => _apis.GetValueOrDefault(key);

    /// <summary>The versions that this node speaks.</summary>
    public ApiVersionsResponse Versions(ErrorCode error) => new()
    {
        ErrorCode = (short)error,
        ApiKeys = [.. _apis.Values.OrderBy(a => a.Key).Select(a => new ApiVersionsResponse.ApiVersion { ApiKey = a.Key, MinVersion = a.MinVersion, MaxVersion = a.MaxVersion })],
    };

    private static ValueTask<IKafkaResponse?> Now(IKafkaResponse? response) => new(response);

    private static T Read<T>(ReadOnlyMemory<byte> body, short version, ReadMessage<T> read)
    {
        var reader = new KafkaReader(body);
        return read(ref reader, version);
    }

    private void TransactionsOf(Broker broker)
    {
        Add(InitProducerIdRequest.ApiKey, InitProducerIdRequest.MinVersion, InitProducerIdRequest.MaxVersion, InitProducerIdRequest.FlexibleFrom, (_, b, v) => Now(broker.Transactions.InitProducerId(Read(b, v, InitProducerIdRequest.Read))));
        Add(AddPartitionsToTxnRequest.ApiKey, AddPartitionsToTxnRequest.MinVersion, AddPartitionsToTxnRequest.MaxVersion, AddPartitionsToTxnRequest.FlexibleFrom, (_, b, v) => Now(broker.Transactions.AddPartitions(Read(b, v, AddPartitionsToTxnRequest.Read), v)));
        Add(AddOffsetsToTxnRequest.ApiKey, AddOffsetsToTxnRequest.MinVersion, AddOffsetsToTxnRequest.MaxVersion, AddOffsetsToTxnRequest.FlexibleFrom, (_, b, v) => Now(broker.Transactions.AddOffsets(Read(b, v, AddOffsetsToTxnRequest.Read), v)));
        Add(EndTxnRequest.ApiKey, EndTxnRequest.MinVersion, EndTxnRequest.MaxVersion, EndTxnRequest.FlexibleFrom, (_, b, v) => Now(broker.Transactions.EndTransaction(Read(b, v, EndTxnRequest.Read), v)));
        Add(TxnOffsetCommitRequest.ApiKey, TxnOffsetCommitRequest.MinVersion, TxnOffsetCommitRequest.MaxVersion, TxnOffsetCommitRequest.FlexibleFrom, (_, b, v) => Now(broker.Transactions.CommitOffsets(Read(b, v, TxnOffsetCommitRequest.Read), v)));
    }

    private void Add(short key, short min, short max, short flexible, ApiHandler handle) => _apis.Add(key, new Api(key, min, max, flexible, handle));
}
