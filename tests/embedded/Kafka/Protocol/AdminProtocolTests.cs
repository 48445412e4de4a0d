using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>Requests that name topics by their ids, the quorum.</summary>
public sealed class AdminProtocolTests : RawBrokerTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public void Produce_by_topic_id_appends_and_by_an_unknown_id_says_so()
    {
        Guid id = Create("t");
        byte[] batch = RecordBatchBuilder.Build([(null, new byte[] { 7 })], 1_700_000_000_000);
        ProduceResponse Produce(Guid topic) => Client.Ask<ProduceRequest, ProduceResponse>(
            new ProduceRequest
            {
                Acks = -1,
                TopicData = [new ProduceRequest.TopicItem
                {
                    TopicId = topic, PartitionData = [new ProduceRequest.TopicItem.PartitionItem { Records = batch }],
                }],
            }, 13, ProduceResponse.Read);
        ProduceResponse.TopicItem produced = Produce(id).Responses.Single();
        (produced.TopicId, produced.PartitionResponses[0].ErrorCode, produced.PartitionResponses[0].BaseOffset).ShouldBe(
            (id, (short)0, 0L));
        Guid unknown = Guid.CreateVersion7();
        ProduceResponse.TopicItem refused = Produce(unknown).Responses.Single();
        (refused.TopicId, refused.PartitionResponses[0].ErrorCode).ShouldBe((unknown, (short)ErrorCode.UnknownTopicId));
    }

    [Fact]
    public void Replicas_are_moved_to_the_one_folder_only_and_impossible_names_are_refused()
    {
        Create("t");
        ErrorCode Move(string path) => (ErrorCode)Client.Ask<AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse>(
            new AlterReplicaLogDirsRequest
            {
                Dirs = [new AlterReplicaLogDirsRequest.Directory
                {
                    Path = path, Topics = [new AlterReplicaLogDirsRequest.Directory.TopicItem { Name = "t", Partitions = [0] }],
                }],
            }, 2, AlterReplicaLogDirsResponse.Read)
            .Results.Single().Partitions.Single().ErrorCode;
        Move(Path.Combine(Kafka.DataDirectory, "logs")).ShouldBe(ErrorCode.None);
        foreach (string impossible in (string[])["", "\0", "/elsewhere", new string('x', 20_000)])
            Move(impossible).ShouldBe(ErrorCode.LogDirNotFound);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_reassignment_to_the_one_broker_is_done_and_to_others_refused_in_every_version(short version)
    {
        Create("t");
        AlterPartitionReassignmentsResponse Assign(params int[] replicas) =>
            Client.Ask<AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse>(
                new AlterPartitionReassignmentsRequest
                {
                    AllowReplicationFactorChange = version == 0,
                    Topics = [new AlterPartitionReassignmentsRequest.TopicItem
                    {
                        Name = "t",
                        Partitions = [new AlterPartitionReassignmentsRequest.TopicItem.PartitionItem { Replicas = [.. replicas] }],
                    }],
                }, version, AlterPartitionReassignmentsResponse.Read);
        AlterPartitionReassignmentsResponse done = Assign(1);
        (done.AllowReplicationFactorChange, (ErrorCode)done.Responses.Single().Partitions.Single().ErrorCode).ShouldBe(
            (version == 0, ErrorCode.None));
        ((ErrorCode)Assign(1, 2).Responses.Single().Partitions.Single().ErrorCode).ShouldBe(ErrorCode.InvalidReplicaAssignment);
    }

    [Fact]
    public void Offsets_are_committed_and_fetched_by_topic_id()
    {
        Guid id = Create("t");
        Guid unknown = Guid.CreateVersion7();
        OffsetCommitResponse committed = Client.Ask<OffsetCommitRequest, OffsetCommitResponse>(
            new OffsetCommitRequest
            {
                GroupId = "g",
                Topics = [.. new[] { id, unknown }.Select(t =>
                    new OffsetCommitRequest.TopicItem
                    {
                        TopicId = t, Partitions = [new OffsetCommitRequest.TopicItem.PartitionItem { CommittedOffset = 5 }],
                    })],
            }, 10, OffsetCommitResponse.Read);
        committed.Topics.Select(t => (t.TopicId, (ErrorCode)t.Partitions[0].ErrorCode)).ShouldBe(
            [(id, ErrorCode.None), (unknown, ErrorCode.UnknownTopicId)]);

        OffsetFetchResponse fetched = Client.Ask<OffsetFetchRequest, OffsetFetchResponse>(
            new OffsetFetchRequest
            {
                Groups =
                [
                    new OffsetFetchRequest.Group
                    {
                        GroupId = "g",
                        Topics = [.. new[] { id, unknown }.Select(t =>
                            new OffsetFetchRequest.Group.GroupTopic { TopicId = t, PartitionIndexes = [0] })],
                    },
                    new OffsetFetchRequest.Group { GroupId = "g", Topics = null },
                ],
            }, 10, OffsetFetchResponse.Read);
        fetched.Groups[0].Topics.Select(t => (t.TopicId, (ErrorCode)t.Partitions[0].ErrorCode, t.Partitions[0].CommittedOffset)).ShouldBe(
            [(id, ErrorCode.None, 5L), (unknown, ErrorCode.UnknownTopicId, -1L)]);
        fetched.Groups[1].Topics.Select(t => (t.TopicId, t.Partitions[0].CommittedOffset)).ShouldBe([(id, 5L)]);
        fetched = Client.Ask<OffsetFetchRequest, OffsetFetchResponse>(new OffsetFetchRequest
        {
            Groups = [new OffsetFetchRequest.Group { GroupId = "g", Topics = null }],
        }, 9, OffsetFetchResponse.Read);
        fetched.Groups[0].Topics.Select(t => (t.Name, t.Partitions[0].CommittedOffset)).ShouldBe([("t", 5L)]);
    }

    [Fact]
    public async Task Node_has_the_id_that_it_is_given()
    {
        await Restart(new EmbeddedKafkaOptions { NodeId = 0 });
        ErrorCode Assign(string topic, int broker) => (ErrorCode)Client.Ask<CreateTopicsRequest, CreateTopicsResponse>(
            new CreateTopicsRequest
            {
                Topics = [new CreateTopicsRequest.CreatableTopic
                {
                    Name = topic,
                    NumPartitions = -1,
                    ReplicationFactor = -1,
                    Assignments = [new CreateTopicsRequest.CreatableTopic.Assignment { PartitionIndex = 0, BrokerIds = [broker] }],
                }],
            }, 7, CreateTopicsResponse.Read).Topics[0].ErrorCode;
        Assign("t", 1).ShouldBe(ErrorCode.InvalidReplicaAssignment);
        Assign("t", 0).ShouldBe(ErrorCode.None);
        MetadataResponse metadata = Client.Ask<MetadataRequest, MetadataResponse>(
            new MetadataRequest { Topics = [new MetadataRequest.MetadataRequestTopic { Name = "t" }] }, 12, MetadataResponse.Read);
        (metadata.Brokers.Single().NodeId, metadata.ControllerId, metadata.Topics[0].Partitions[0].LeaderId).ShouldBe((0, 0, 0));
        await Should.ThrowAsync<ArgumentOutOfRangeException>(() =>
            EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions { NodeId = -1 }, cancellationToken: Cancellation));
    }

    // The Java client leaves the name empty when it asks by the id, and then found that all topics were unknown.
    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void Metadata_is_told_by_topic_id_whatever_the_name(string? name)
    {
        Guid id = Create("t");
        Guid unknown = Guid.CreateVersion7();
        MetadataResponse metadata = Client.Ask<MetadataRequest, MetadataResponse>(
            new MetadataRequest
            {
                Topics = [.. new[] { id, unknown }.Select(t => new MetadataRequest.MetadataRequestTopic { TopicId = t, Name = name })],
            }, 12, MetadataResponse.Read);
        metadata.Topics.Select(t => (t.TopicId, t.Name, (ErrorCode)t.ErrorCode)).ShouldBe(
            [(id, "t", ErrorCode.None), (unknown, null, ErrorCode.UnknownTopicId)]);
    }

    [Fact]
    public async Task Topic_that_is_created_as_it_is_asked_for_is_told_of_from_the_next_request_on()
    {
        await Restart(new EmbeddedKafkaOptions { AutoCreateTopics = true, DefaultPartitions = 3 });
        (ErrorCode, int) Ask(string name, bool create)
        {
            MetadataResponse.TopicItem topic = Client.Ask<MetadataRequest, MetadataResponse>(
                new MetadataRequest
                {
                    Topics = [new MetadataRequest.MetadataRequestTopic { Name = name }], AllowAutoTopicCreation = create,
                }, 12, MetadataResponse.Read).Topics.Single();
            return ((ErrorCode)topic.ErrorCode, topic.Partitions.Count);
        }

        Ask("a.b", create: false).ShouldBe((ErrorCode.UnknownTopicOrPartition, 0));
        Ask("a.b", create: true).ShouldBe((ErrorCode.UnknownTopicOrPartition, 0));
        Ask("a.b", create: false).ShouldBe((ErrorCode.None, 3));
        Ask("a_b", create: true).ShouldBe((ErrorCode.UnknownTopicOrPartition, 0));
        Ask("a_b", create: false).ShouldBe((ErrorCode.UnknownTopicOrPartition, 0));
    }

    [Fact]
    public void Topics_are_deleted_by_name_or_by_id_and_none_that_is_named_twice()
    {
        Guid[] ids = [.. new[] { "a", "b", "c", "d" }.Select(name => Create(name))];
        DeleteTopicsRequest.TopicItem ById(int at) => new() { TopicId = ids[at] };
        DeleteTopicsRequest.TopicItem ByName(string name, Guid id = default) => new() { Name = name, TopicId = id };
        DeleteTopicsResponse answer = Client.Ask<DeleteTopicsRequest, DeleteTopicsResponse>(
            new DeleteTopicsRequest { Topics = [ByName("a"), ById(1), ByName("c"), ById(2), ByName("d", ids[3]), ByName("e"),
                new() { TopicId = Guid.CreateVersion7() }, new(), ByName("__consumer_offsets")] }, 6, DeleteTopicsResponse.Read);
        answer.Responses.Select(r => (ErrorCode)r.ErrorCode).ShouldBe(
        [
            ErrorCode.None, ErrorCode.None, ErrorCode.InvalidRequest, ErrorCode.InvalidRequest, ErrorCode.InvalidRequest,
            ErrorCode.UnknownTopicOrPartition, ErrorCode.UnknownTopicId, ErrorCode.InvalidRequest,
            ErrorCode.InvalidTopic,
        ]);
        Client.Ask<MetadataRequest, MetadataResponse>(new MetadataRequest { Topics = null }, 12, MetadataResponse.Read).Topics.Where(t =>
            !t.IsInternal).Select(t => t.Name).ShouldBe(["c", "d"]);
    }

    // So it is left by a broker that was killed while it deleted a topic, when the topic is created again.
    [Fact]
    public async Task Log_whose_folder_is_gone_begins_anew_whatever_the_checkpoints_say()
    {
        Create("t");
        byte[] batch = RecordBatchBuilder.Build([(null, new byte[] { 1 }), (null, new byte[] { 2 })], 1_700_000_000_000);
        long Produce() => Client.Ask<ProduceRequest, ProduceResponse>(
            new ProduceRequest
            {
                Acks = -1,
                TopicData = [new ProduceRequest.TopicItem
                {
                    Name = "t", PartitionData = [new ProduceRequest.TopicItem.PartitionItem { Records = batch.ToArray() }],
                }],
            }, 12, ProduceResponse.Read).Responses[0].PartitionResponses[0].BaseOffset;
        Produce().ShouldBe(0);
        Produce().ShouldBe(2);
        Client.Ask<DeleteRecordsRequest, DeleteRecordsResponse>(
            new DeleteRecordsRequest
            {
                Topics = [new DeleteRecordsRequest.TopicItem
                {
                    Name = "t", Partitions = [new DeleteRecordsRequest.TopicItem.PartitionItem { Offset = 3 }],
                }],
            }, 2, DeleteRecordsResponse.Read).Topics[0].Partitions[0].LowWatermark.ShouldBe(3);

        await Restart(new EmbeddedKafkaOptions(), before: () => Directory.Delete(Path.Combine(Folder, "logs", "t-0"), recursive: true));
        Produce().ShouldBe(0);
    }

    [Fact]
    public void Topic_whose_name_differs_from_another_by_dots_and_underscores_only_is_refused()
    {
        Create("a.b_c");
        CreateTopicsResponse refused = Client.Ask<CreateTopicsRequest, CreateTopicsResponse>(new CreateTopicsRequest
        {
            Topics = [new CreateTopicsRequest.CreatableTopic { Name = "a_b.c", NumPartitions = 1, ReplicationFactor = 1 }],
        }, 7, CreateTopicsResponse.Read);
        ((ErrorCode)refused.Topics[0].ErrorCode, refused.Topics[0].ErrorMessage).ShouldBe(
            (ErrorCode.InvalidTopic, "Topic 'a_b.c' collides with existing topic: a.b_c"));
    }

    // kafkajs's suite: replicas that were assigned by hand were not looked at when a topic got more partitions.
    [Fact]
    public void Partitions_are_added_with_replicas_on_this_broker_only()
    {
        Create("t");
        (ErrorCode, string?) Grow(int count, params int[][]? assignments)
        {
            CreatePartitionsResponse.TopicItem result = Client.Ask<CreatePartitionsRequest, CreatePartitionsResponse>(
                new CreatePartitionsRequest
                {
                    Topics = [new()
                    {
                        Name = "t",
                        Count = count,
                        Assignments = assignments?.Select(a =>
                            new CreatePartitionsRequest.TopicItem.Assignment { BrokerIds = [.. a] }).ToList(),
                    }],
                }, 3, CreatePartitionsResponse.Read).Results[0];
            return ((ErrorCode)result.ErrorCode, result.ErrorMessage);
        }

        Grow(1, null).ShouldBe((ErrorCode.InvalidPartitions, "Topic already has 1 partition(s)."));
        Grow(3, [1]).ShouldBe((ErrorCode.InvalidReplicaAssignment,
            "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."));
        Grow(2, [9]).ShouldBe((ErrorCode.InvalidReplicaAssignment,
            "The manual partition assignment includes broker 9, but no such broker is registered."));
        Grow(2, [1]).ShouldBe((ErrorCode.None, null));
    }

    [Fact]
    public void Transaction_that_hangs_is_ended_by_a_marker_of_an_administrator()
    {
        Guid id = Create("t");
        InitProducerIdResponse producer = Client.Ask<InitProducerIdRequest, InitProducerIdResponse>(
            new InitProducerIdRequest { TransactionalId = "tx", TransactionTimeoutMs = 60_000 }, 5, InitProducerIdResponse.Read);
        byte[] open = RecordBatchBuilder.Build([(null, new byte[] { 7 })], 1_700_000_000_000, producer.ProducerId, producer.ProducerEpoch,
            transactional: true);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(open.AsSpan(53), 0);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(open.AsSpan(17), Crc32C.Compute(open.AsSpan(21)));
        Client.Ask<ProduceRequest, ProduceResponse>(
            new ProduceRequest
            {
                Acks = -1,
                TransactionalId = "tx",
                TopicData = [new ProduceRequest.TopicItem
                {
                    TopicId = id, PartitionData = [new ProduceRequest.TopicItem.PartitionItem { Records = open }],
                }],
            }, 13, ProduceResponse.Read)
            .Responses[0].PartitionResponses[0].ErrorCode.ShouldBe((short)0);
        DescribeProducersResponse.TopicItem.PartitionItem.Producer Producer() =>
            Client.Ask<DescribeProducersRequest, DescribeProducersResponse>(
            new DescribeProducersRequest { Topics = [new DescribeProducersRequest.TopicItem { Name = "t", PartitionIndexes = [0] }] }, 0,
            DescribeProducersResponse.Read).Topics[0].Partitions[0].ActiveProducers.Single();
        Producer().CurrentTxnStartOffset.ShouldBe(0);

        WriteTxnMarkersResponse Mark(int coordinatorEpoch) => Client.Ask<WriteTxnMarkersRequest, WriteTxnMarkersResponse>(
            new WriteTxnMarkersRequest
            {
                Markers = [new()
                {
                    ProducerId = producer.ProducerId,
                    ProducerEpoch = producer.ProducerEpoch,
                    CoordinatorEpoch = coordinatorEpoch,
                    Topics = [new() { Name = "t", PartitionIndexes = [0, 7] }],
                }],
            }, 1, WriteTxnMarkersResponse.Read);
        Mark(coordinatorEpoch: 3).Markers[0].Topics[0].Partitions.Select(p => (ErrorCode)p.ErrorCode).ShouldBe(
            [ErrorCode.None, ErrorCode.UnknownTopicOrPartition]);
        (Producer().CurrentTxnStartOffset, Producer().CoordinatorEpoch).ShouldBe((-1, 3));
        ((ErrorCode)Mark(coordinatorEpoch: 2).Markers[0].Topics[0].Partitions[0].ErrorCode).ShouldBe(
            ErrorCode.TransactionCoordinatorFenced);
    }

    [Fact]
    public void DescribeQuorum_tells_of_one_voter_who_leads()
    {
        DescribeQuorumResponse quorum = Client.Ask<DescribeQuorumRequest, DescribeQuorumResponse>(
            new DescribeQuorumRequest
            {
                Topics = [new DescribeQuorumRequest.TopicItem
                {
                    TopicName = "__cluster_metadata",
                    Partitions = [new DescribeQuorumRequest.TopicItem.PartitionItem(),
                        new DescribeQuorumRequest.TopicItem.PartitionItem { PartitionIndex = 1 }],
                }],
            }, 2, DescribeQuorumResponse.Read);
        List<DescribeQuorumResponse.TopicItem.PartitionItem> partitions = quorum.Topics.Single().Partitions;
        (partitions[0].ErrorCode, partitions[0].LeaderId, partitions[0].CurrentVoters.Single().ReplicaId).ShouldBe(((short)0, 1, 1));
        partitions[1].ErrorCode.ShouldBe((short)ErrorCode.UnknownTopicOrPartition);
        $"{quorum.Nodes.Single().Listeners.Single().Host}:{quorum.Nodes[0].Listeners[0].Port}".ShouldBe(Kafka.BootstrapServers);
    }

    // Every append made the broker read again all that a waiting reader would get, and throw it away.
    [Fact]
    public async Task Fetch_that_waits_for_more_bytes_is_answered_when_the_last_of_them_are_there()
    {
        Guid id = Create("t");
        byte[] batch = RecordBatchBuilder.Build([(null, new byte[100])], 1_700_000_000_000);
        void Produce() => Client.Ask<ProduceRequest, ProduceResponse>(
            new ProduceRequest
            {
                Acks = -1,
                TopicData = [new ProduceRequest.TopicItem
                {
                    TopicId = id, PartitionData = [new ProduceRequest.TopicItem.PartitionItem { Records = batch.ToArray() }],
                }],
            }, 13, ProduceResponse.Read);
        var request = new FetchRequest
        {
            MaxBytes = 1_000_000,
            SessionEpoch = -1,
            MaxWaitMs = 60_000,
            MinBytes = 3 * batch.Length,
            Topics = [new FetchRequest.TopicItem
            {
                TopicId = id, Partitions = [new FetchRequest.TopicItem.PartitionItem { PartitionMaxBytes = 1_000_000 }],
            }],
        };
        using var reader = new RawClient(Kafka);
        Task<FetchResponse> waiting = Task.Run(() => reader.Ask<FetchRequest, FetchResponse>(request, 18, FetchResponse.Read),
            Cancellation);
        Produce();
        Produce();
        waiting.IsCompleted.ShouldBeFalse();
        Produce();
        (await waiting.WaitAsync(Patience, Cancellation)).Responses[0].Partitions[0].Records!.Value.Length.ShouldBe(3 * batch.Length);
    }
}
