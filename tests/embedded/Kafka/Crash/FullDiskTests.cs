using System.Globalization;
using KafkaEventSourcing.Chaos.Cluster;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Tests.Log;
using KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Crash;

/// <summary>
/// A broker whose files cannot grow: what RLIMIT_FSIZE does to a process is what a full disk does, without root. It went down by an
/// exception on the timer that aborts transactions.
/// </summary>
public sealed class FullDiskTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kafka-full-").FullName;
    private readonly BrokerProcess _broker;
    private RawClient _client = null!;

#pragma warning disable CA5394 // no secret hangs on it
    public FullDiskTests() => _broker = new BrokerProcess(_folder, BrokerProcess.FreePort(Random.Shared));
#pragma warning restore CA5394

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(FileSizeLimit.IsSupported, "Only Linux limits the files of a running process.");
        await Start();
    }

    public async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        await _broker.DisposeAsync();
        foreach (string line in _broker.Log)
            TestContext.Current.TestOutputHelper?.WriteLine(line);
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_transaction_whose_time_is_over_on_a_full_disk_is_aborted_when_there_is_space_again()
    {
        Create("t");
        InitProducerIdResponse producer = Init("tx", timeoutMs: 1_000);
        AddPartitions("tx", producer).ShouldBe(ErrorCode.None);
        Produce("t", TestLog.Batch([("k", "open")], Now(), producer.ProducerId, producer.ProducerEpoch, 0, transactional: true), "tx")
            .ShouldBe(ErrorCode.None);
        FileSizeLimit.Set(_broker.Id, 1);

        // The timer comes by, and its record cannot be written: the process ended here.
        await _broker.WaitFor("__transaction_state-0 cannot be written");
        Fetch("t", readCommitted: false, waitMs: 0).HighWatermark.ShouldBe(1, "what is there can be read");

        FileSizeLimit.Lift(_broker.Id);
        await _broker.WaitFor("__transaction_state-0 can be written again");
        FetchResponse.TopicItem.PartitionItem aborted = Fetch("t", readCommitted: true, waitMs: 30_000);
        aborted.LastStableOffset.ShouldBe(2, "the marker follows");
        aborted.AbortedTransactions!.Select(a => (a.ProducerId, a.FirstOffset)).ShouldBe([(producer.ProducerId, 0L)]);
        Init("tx", timeoutMs: 1_000).ProducerEpoch.ShouldBeGreaterThan(producer.ProducerEpoch);
    }

    [Fact]
    public async Task Everything_that_writes_is_refused_on_a_full_disk_and_done_afterwards()
    {
        Create("t");
        byte[] first = TestLog.Batch([("k", "before")], Now());
        Produce("t", first).ShouldBe(ErrorCode.None);
        InitProducerIdResponse open = Init("open", timeoutMs: 600_000);
        AddPartitions("open", open).ShouldBe(ErrorCode.None);
        string member = JoinAndSync("g");
        // A part of the next batch fits: nothing of it may stay.
        FileSizeLimit.Set(_broker.Id, (ulong)first.Length + 100);
        byte[] large = TestLog.Batch([("k", new string('x', 10_000))], Now());

        Produce("t", large).ShouldBe(ErrorCode.KafkaStorageError);
        await _broker.WaitFor("t-0 cannot be written");
        FileSizeLimit.Set(_broker.Id, 1);
        CreateTopicsResponse.TopicItem refused = Ask(new CreateTopicsRequest
        {
            Topics = [new CreateTopicsRequest.CreatableTopic { Name = "u", NumPartitions = 1, ReplicationFactor = 1 }],
        }, 7, CreateTopicsResponse.Read).Topics[0];
        refused.ErrorCode.ShouldBe((short)ErrorCode.KafkaStorageError);
        refused.ErrorMessage.ShouldNotBeNull().ShouldContain("File too large");
        Ask(new MetadataRequest { Topics = [new MetadataRequest.MetadataRequestTopic { Name = "u" }] }, 12,
            MetadataResponse.Read).Topics[0].ErrorCode.ShouldBe((short)ErrorCode.UnknownTopicOrPartition,
                "what was refused has not happened");
        Init("new", timeoutMs: 60_000).ErrorCode.ShouldBe((short)ErrorCode.NotCoordinator);
        Ask(new InitProducerIdRequest { TransactionTimeoutMs = 60_000 }, 4, InitProducerIdResponse.Read).ErrorCode.ShouldBe((short)0,
            "ids that are reserved need no disk");
        Commit("g", member, generation: 1, offset: 1).ShouldBe(ErrorCode.NotCoordinator);
        Ask(End("open", open), 4, EndTxnResponse.Read).ErrorCode.ShouldBe((short)ErrorCode.NotCoordinator);
        Ask(new LeaveGroupRequest { GroupId = "g", Members = [new LeaveGroupRequest.Member { MemberId = member }] }, 4,
            LeaveGroupResponse.Read).Members[0].ErrorCode.ShouldBe((short)0, "a group can lose its members");
        Fetch("t", readCommitted: false, waitMs: 0).HighWatermark.ShouldBe(1);

        FileSizeLimit.Lift(_broker.Id);
        await _broker.WaitFor("t-0 can be written again");
        Produce("t", large).ShouldBe(ErrorCode.None);
        Create("u");
        Init("new", timeoutMs: 60_000).ErrorCode.ShouldBe((short)0);
        Ask(End("open", open), 4, EndTxnResponse.Read).ErrorCode.ShouldBe((short)0);
        member = JoinAndSync("g");
        Commit("g", member, generation: 3, offset: 1).ShouldBe(ErrorCode.None);
        _client.Dispose();
        await _broker.Stop();
        new FileInfo(Path.Combine(_folder, "logs", "t-0", "00000000000000000000.log")).Length.ShouldBeGreaterThan(
            first.Length + large.Length - 1);
        await Start();
        FetchResponse.TopicItem.PartitionItem all = Fetch("t", readCommitted: true, waitMs: 0);
        all.HighWatermark.ShouldBe(3, "two batches and a marker");
        all.LastStableOffset.ShouldBe(3);
    }

    [Fact]
    public async Task A_broker_that_stops_on_a_full_disk_ends_in_order_and_has_all_that_it_acknowledged()
    {
        Create("t");
        byte[] batch = TestLog.Batch([("k", "v")], Now());
        Produce("t", batch).ShouldBe(ErrorCode.None);
        FileSizeLimit.Set(_broker.Id, (ulong)batch.Length + 100);
        Produce("t", TestLog.Batch([("k", new string('x', 10_000))], Now())).ShouldBe(ErrorCode.KafkaStorageError);
        FileSizeLimit.Set(_broker.Id, 1);
        _client.Dispose();
        await _broker.Stop();

        await Start();
        Fetch("t", readCommitted: false, waitMs: 0).HighWatermark.ShouldBe(1, "a part of a refused batch counted as records");
        Produce("t", TestLog.Batch([("k", "w")], Now())).ShouldBe(ErrorCode.None);
    }

    private static long Now() => TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();

    private static EndTxnRequest End(string id, InitProducerIdResponse producer) =>
        new() { TransactionalId = id, ProducerId = producer.ProducerId, ProducerEpoch = producer.ProducerEpoch, Committed = true };

    private async Task Start()
    {
        _broker.Launch();
        await _broker.WaitUntilReady();
        _client = new RawClient(_broker.Address);
    }

    private TResponse Ask<TRequest, TResponse>(TRequest request, short version, RawClient.ReadMessage<TResponse> read)
        where TRequest : IKafkaRequest<TRequest> => _client.Ask(request, version, read);

    private void Create(string topic) =>
        Ask(new CreateTopicsRequest
        {
            Topics = [new CreateTopicsRequest.CreatableTopic { Name = topic, NumPartitions = 1, ReplicationFactor = 1 }],
        }, 7, CreateTopicsResponse.Read).Topics[0].ErrorCode.ShouldBe((short)0);

    private InitProducerIdResponse Init(string id, int timeoutMs) =>
        Ask(new InitProducerIdRequest { TransactionalId = id, TransactionTimeoutMs = timeoutMs }, 4, InitProducerIdResponse.Read);

    private ErrorCode AddPartitions(string id, InitProducerIdResponse producer) => (ErrorCode)Ask(
        new AddPartitionsToTxnRequest
        {
            TransactionalId = id,
            ProducerId = producer.ProducerId,
            ProducerEpoch = producer.ProducerEpoch,
            Topics = [new AddPartitionsToTxnRequest.TopicItem { Name = "t", Partitions = [0] }],
        },
        3, AddPartitionsToTxnResponse.Read).Results[0].Partitions[0].PartitionErrorCode;

    private ErrorCode Produce(string topic, byte[] batch, string? transactionalId = null) => (ErrorCode)Ask(
        new ProduceRequest
        {
            Acks = -1,
            TransactionalId = transactionalId,
            TopicData = [new ProduceRequest.TopicItem
            {
                Name = topic, PartitionData = [new ProduceRequest.TopicItem.PartitionItem { Records = (byte[])batch.Clone() }],
            }],
        },
        9, ProduceResponse.Read).Responses[0].PartitionResponses[0].ErrorCode;

    private ErrorCode Commit(string group, string member, int generation, long offset) => (ErrorCode)Ask(
        new OffsetCommitRequest
        {
            GroupId = group,
            MemberId = member,
            GenerationId = generation,
            Topics = [new OffsetCommitRequest.TopicItem
            {
                Name = "t", Partitions = [new OffsetCommitRequest.TopicItem.PartitionItem { CommittedOffset = offset }],
            }],
        },
        8, OffsetCommitResponse.Read).Topics[0].Partitions[0].ErrorCode;

    private string JoinAndSync(string group)
    {
        var request = new JoinGroupRequest
        {
            GroupId = group,
            SessionTimeoutMs = 60_000,
            RebalanceTimeoutMs = 60_000,
            ProtocolType = "consumer",
            Protocols = [new JoinGroupRequest.Protocol { Name = "range", Metadata = new byte[4] }],
        };
        request.MemberId = Ask(request, 7, JoinGroupResponse.Read).MemberId;
        JoinGroupResponse joined = Ask(request, 7, JoinGroupResponse.Read);
        joined.ErrorCode.ShouldBe((short)0, joined.GenerationId.ToString(CultureInfo.InvariantCulture));
        var sync = new SyncGroupRequest
        {
            GroupId = group,
            MemberId = joined.MemberId,
            GenerationId = joined.GenerationId,
            Assignments = [new SyncGroupRequest.MemberAssignment { MemberId = joined.MemberId, Assignment = new byte[2] }],
        };
        Ask(sync, 5, SyncGroupResponse.Read).ErrorCode.ShouldBe((short)0);
        return joined.MemberId;
    }

    private FetchResponse.TopicItem.PartitionItem Fetch(string topic, bool readCommitted, int waitMs)
    {
        long offset = waitMs > 0 ? 1 : 0;
        var request = new FetchRequest
        {
            MaxBytes = 1_000_000,
            MaxWaitMs = waitMs,
            MinBytes = 1,
            SessionEpoch = -1,
            IsolationLevel = (sbyte)(readCommitted ? 1 : 0),
            Topics = [new FetchRequest.TopicItem
            {
                Name = topic,
                Partitions = [new FetchRequest.TopicItem.PartitionItem { FetchOffset = offset, PartitionMaxBytes = 1_000_000 }],
            }],
        };
        FetchResponse.TopicItem.PartitionItem answer = Ask(request, 12, FetchResponse.Read).Responses[0].Partitions[0];
        answer.ErrorCode.ShouldBe((short)0);
        return answer;
    }
}
