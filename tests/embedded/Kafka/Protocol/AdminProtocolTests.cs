using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>Requests that name topics by their ids, configs of groups and of the broker, quotas, the quorum: in versions that no client of ours speaks.</summary>
public sealed class AdminProtocolTests : IAsyncLifetime
{
    private const sbyte BrokerType = 4;
    private const sbyte LoggerType = 8;
    private const sbyte ClientMetricsType = 16;
    private const sbyte GroupType = 32;
    private const string SessionTimeout = "consumer.session.timeout.ms";
    private const string HeartbeatInterval = "consumer.heartbeat.interval.ms";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly string _directory = Directory.CreateTempSubdirectory("kafka-admin-").FullName;
    private EmbeddedKafka _kafka = null!;
    private RawClient _client = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => Start(new EmbeddedKafkaOptions());

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _kafka.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public void Produce_by_topic_id_appends_and_by_an_unknown_id_says_so()
    {
        Guid id = Create("t");
        byte[] batch = RecordBatchBuilder.Build([(null, new byte[] { 7 })], 1_700_000_000_000);
        ProduceResponse Produce(Guid topic) => _client.Ask<ProduceRequest, ProduceResponse>(
            new ProduceRequest { Acks = -1, TopicData = [new ProduceRequest.TopicItem { TopicId = topic, PartitionData = [new ProduceRequest.TopicItem.PartitionItem { Records = batch }] }] }, 13, ProduceResponse.Read);
        ProduceResponse.TopicItem produced = Produce(id).Responses.Single();
        (produced.TopicId, produced.PartitionResponses[0].ErrorCode, produced.PartitionResponses[0].BaseOffset).ShouldBe((id, (short)0, 0L));
        Guid unknown = Guid.CreateVersion7();
        ProduceResponse.TopicItem refused = Produce(unknown).Responses.Single();
        (refused.TopicId, refused.PartitionResponses[0].ErrorCode).ShouldBe((unknown, (short)ErrorCode.UnknownTopicId));
    }

    [Fact]
    public void Replicas_are_moved_to_the_one_folder_only_and_impossible_names_are_refused()
    {
        Create("t");
        ErrorCode Move(string path) => (ErrorCode)_client.Ask<AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse>(
            new AlterReplicaLogDirsRequest { Dirs = [new AlterReplicaLogDirsRequest.Directory { Path = path, Topics = [new AlterReplicaLogDirsRequest.Directory.TopicItem { Name = "t", Partitions = [0] }] }] }, 2, AlterReplicaLogDirsResponse.Read)
            .Results.Single().Partitions.Single().ErrorCode;
        Move(Path.Combine(_kafka.DataDirectory, "logs")).ShouldBe(ErrorCode.None);
        foreach (string impossible in (string[])["", "\0", "/elsewhere", new string('x', 20_000)])
            Move(impossible).ShouldBe(ErrorCode.LogDirNotFound);
    }

    [Fact]
    public void Offsets_are_committed_and_fetched_by_topic_id()
    {
        Guid id = Create("t");
        Guid unknown = Guid.CreateVersion7();
        OffsetCommitResponse committed = _client.Ask<OffsetCommitRequest, OffsetCommitResponse>(
            new OffsetCommitRequest
            {
                GroupId = "g",
                Topics = [.. new[] { id, unknown }.Select(t => new OffsetCommitRequest.TopicItem { TopicId = t, Partitions = [new OffsetCommitRequest.TopicItem.PartitionItem { CommittedOffset = 5 }] })],
            }, 10, OffsetCommitResponse.Read);
        committed.Topics.Select(t => (t.TopicId, (ErrorCode)t.Partitions[0].ErrorCode)).ShouldBe([(id, ErrorCode.None), (unknown, ErrorCode.UnknownTopicId)]);

        OffsetFetchResponse fetched = _client.Ask<OffsetFetchRequest, OffsetFetchResponse>(
            new OffsetFetchRequest
            {
                Groups =
                [
                    new OffsetFetchRequest.Group { GroupId = "g", Topics = [.. new[] { id, unknown }.Select(t => new OffsetFetchRequest.Group.GroupTopic { TopicId = t, PartitionIndexes = [0] })] },
                    new OffsetFetchRequest.Group { GroupId = "g", Topics = null },
                ],
            }, 10, OffsetFetchResponse.Read);
        fetched.Groups[0].Topics.Select(t => (t.TopicId, (ErrorCode)t.Partitions[0].ErrorCode, t.Partitions[0].CommittedOffset)).ShouldBe([(id, ErrorCode.None, 5L), (unknown, ErrorCode.UnknownTopicId, -1L)]);
        fetched.Groups[1].Topics.Select(t => (t.TopicId, t.Partitions[0].CommittedOffset)).ShouldBe([(id, 5L)]);
        fetched = _client.Ask<OffsetFetchRequest, OffsetFetchResponse>(new OffsetFetchRequest { Groups = [new OffsetFetchRequest.Group { GroupId = "g", Topics = null }] }, 9, OffsetFetchResponse.Read);
        fetched.Groups[0].Topics.Select(t => (t.Name, t.Partitions[0].CommittedOffset)).ShouldBe([("t", 5L)]);
    }

    [Fact]
    public async Task Configs_of_a_group_are_validated_kept_over_a_restart_and_listed()
    {
        Alter(GroupType, "", (SessionTimeout, "50000")).ShouldBe((ErrorCode.InvalidRequest, "Group name must not be empty"));
        Alter(GroupType, "g", (SessionTimeout, "1000")).ShouldBe((ErrorCode.InvalidConfig, "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms"));
        Alter(GroupType, "g", (HeartbeatInterval, "15001")).ShouldBe((ErrorCode.InvalidConfig, "consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms"));
        Alter(GroupType, "g", ("retention.ms", "1000")).ShouldBe((ErrorCode.InvalidConfig, "Unknown group config name: retention.ms"));
        Alter(GroupType, "g", (SessionTimeout, "soon")).Item1.ShouldBe(ErrorCode.InvalidConfig);
        Alter(GroupType, "g", (SessionTimeout, "50000"), (SessionTimeout, "51000")).ShouldBe((ErrorCode.InvalidRequest, "Error due to duplicate config keys : consumer.session.timeout.ms"));
        Alter(GroupType, "g", (SessionTimeout, "50000")).ShouldBe((ErrorCode.None, null));
        (string? Value, sbyte Source, bool ReadOnly) Session(string group) => Describe(GroupType, group).Where(c => c.Name == SessionTimeout).Select(c => (c.Value, c.ConfigSource, c.ReadOnly)).Single();
        Session("g").ShouldBe(("50000", (sbyte)8, false));
        Session("other").ShouldBe(("45000", (sbyte)5, false));

        await Restart(new EmbeddedKafkaOptions());
        Session("g").ShouldBe(("50000", (sbyte)8, false));
        List(1, [GroupType]).ShouldBe([("g", GroupType)]);
        Alter(GroupType, "g", operation: 1, (SessionTimeout, null)).ShouldBe((ErrorCode.None, null));
        Session("g").ShouldBe(("45000", (sbyte)5, false));
        List(1, [GroupType]).ShouldBeEmpty();
    }

    [Fact]
    public async Task Session_timeout_and_heartbeat_interval_of_a_group_take_effect()
    {
        await Restart(new EmbeddedKafkaOptions { ConsumerSessionTimeout = TimeSpan.FromMilliseconds(300), ConsumerHeartbeatInterval = TimeSpan.FromMilliseconds(100) });
        Create("t");
        Alter(GroupType, "long", (SessionTimeout, "60000"), (HeartbeatInterval, "7000")).ShouldBe((ErrorCode.None, null));
        JoinConsumers("long").ShouldBe(7_000);
        JoinConsumers("short").ShouldBe(100);
        int Members(string group) => _client.Ask<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse>(new ConsumerGroupDescribeRequest { GroupIds = [group] }, 1, ConsumerGroupDescribeResponse.Read).Groups[0].Members.Count;
        long start = TimeProvider.System.GetTimestamp();
        while (Members("short") > 0)
            (TimeProvider.System.GetElapsedTime(start) < Patience).ShouldBeTrue("the member of the group with the broker's session timeout stays");
        Members("long").ShouldBe(1);
    }

    [Fact]
    public async Task Subscriptions_to_client_metrics_are_validated_kept_over_a_restart_and_listed()
    {
        Alter(ClientMetricsType, "", ("metrics", "a")).ShouldBe((ErrorCode.InvalidRequest, "Client metrics subscription name must not be empty"));
        Alter(ClientMetricsType, "m", ("retention.ms", "1000")).ShouldBe((ErrorCode.InvalidRequest, "Unknown client metrics configuration: retention.ms"));
        Alter(ClientMetricsType, "m", ("interval.ms", "99")).ShouldBe((ErrorCode.InvalidRequest, "Invalid value 99 for interval.ms, interval must be between 100 and 3600000 (1 hour)"));
        Alter(ClientMetricsType, "m", ("interval.ms", "soon")).Item1.ShouldBe(ErrorCode.InvalidConfig);
        foreach (string pattern in (string[])["client_id", "client_id=", "colour=red", "client_id=(", "client_id=a=b"])
            Alter(ClientMetricsType, "m", ("match", "client_software_name=Java," + pattern)).Item1.ShouldBe(ErrorCode.InvalidConfig, pattern);
        Alter(ClientMetricsType, "m", ("metrics", "org.apache.kafka.producer."), ("match", "client_software_name=Java,client_software_version=11.1.*")).ShouldBe((ErrorCode.None, null));
        Alter(ClientMetricsType, "m", operation: 2, ("metrics", "org.apache.kafka.consumer.")).ShouldBe((ErrorCode.None, null));

        await Restart(new EmbeddedKafkaOptions());
        Describe(ClientMetricsType, "m").Select(c => (c.Name, c.Value, c.ConfigSource)).ShouldBe(
        [
            ("metrics", "org.apache.kafka.producer.,org.apache.kafka.consumer.", (sbyte)7), ("interval.ms", "300000", (sbyte)5), ("match", "client_software_name=Java,client_software_version=11.1.*", (sbyte)7),
        ]);
        List(0, []).ShouldBe([("m", ClientMetricsType)]);
        Alter(ClientMetricsType, "m", operation: 1, ("metrics", null), ("match", null)).ShouldBe((ErrorCode.None, null));
        List(0, []).ShouldBeEmpty();
    }

    [Fact]
    public async Task Level_of_the_logger_is_changed_while_the_broker_runs()
    {
        var log = new KeptLog();
        await Restart(new EmbeddedKafkaOptions(), log);
        string logger = typeof(EmbeddedKafka).FullName!;
        Describe(LoggerType, "1").Select(c => (c.Name, c.Value, c.ConfigSource, c.ReadOnly)).ShouldBe([("root", "DEBUG", (sbyte)6, false), (logger, "DEBUG", (sbyte)6, false)]);
        Alter(LoggerType, "2", (logger, "WARN")).Item1.ShouldBe(ErrorCode.InvalidRequest);
        Alter(LoggerType, "1", ("kafka.server", "WARN")).ShouldBe((ErrorCode.InvalidConfig, "Logger kafka.server does not exist!"));
        Alter(LoggerType, "1", (logger, "LOUD")).ShouldBe((ErrorCode.InvalidConfig, $"Cannot set the log level of {logger} to LOUD as it is not a supported log level. Valid log levels are FATAL, ERROR, WARN, INFO, DEBUG, TRACE"));
        Alter(LoggerType, "1", operation: 2, (logger, "WARN")).ShouldBe((ErrorCode.InvalidRequest, "APPEND operation is not allowed for the BROKER_LOGGER resource"));
        Alter(LoggerType, "1", operation: 1, ("root", null)).ShouldBe((ErrorCode.InvalidRequest, "Removing the log level of the root logger is not allowed"));
        _client.Ask<AlterConfigsRequest, AlterConfigsResponse>(new AlterConfigsRequest { Resources = [new AlterConfigsRequest.Resource { ResourceType = LoggerType, ResourceName = "1", Configs = [] }] }, 2, AlterConfigsResponse.Read)
            .Responses[0].ErrorCode.ShouldBe((short)ErrorCode.InvalidRequest);

        // A client that sends garbage is told of in the log, unless that is for errors only.
        Alter(LoggerType, "1", (logger, "ERROR")).ShouldBe((ErrorCode.None, null));
        await Garbage();
        log.Lines.ShouldBeEmpty();
        Alter(LoggerType, "1", operation: 1, (logger, null)).ShouldBe((ErrorCode.None, null));
        await Garbage();
        log.Lines.ShouldNotBeEmpty();
    }

    [Fact]
    public void ListConfigResources_lists_what_has_configs()
    {
        Create("t");
        List(0, []).ShouldBeEmpty();
        List(1, [2]).ShouldContain(("t", (sbyte)2));
        List(1, [BrokerType]).ShouldBe([("1", BrokerType)]);
        List(1, []).ShouldContain(("1", BrokerType));
        _client.Ask<ListConfigResourcesRequest, ListConfigResourcesResponse>(new ListConfigResourcesRequest { ResourceTypes = [3] }, 1, ListConfigResourcesResponse.Read).ErrorCode.ShouldBe((short)ErrorCode.UnsupportedVersion);
    }

    [Fact]
    public async Task Node_has_the_id_that_it_is_given()
    {
        await Restart(new EmbeddedKafkaOptions { NodeId = 0 });
        ErrorCode Assign(string topic, int broker) => (ErrorCode)_client.Ask<CreateTopicsRequest, CreateTopicsResponse>(
            new CreateTopicsRequest
            {
                Topics = [new CreateTopicsRequest.CreatableTopic { Name = topic, NumPartitions = -1, ReplicationFactor = -1, Assignments = [new CreateTopicsRequest.CreatableTopic.Assignment { PartitionIndex = 0, BrokerIds = [broker] }] }],
            }, 7, CreateTopicsResponse.Read).Topics[0].ErrorCode;
        Assign("t", 1).ShouldBe(ErrorCode.InvalidReplicaAssignment);
        Assign("t", 0).ShouldBe(ErrorCode.None);
        MetadataResponse metadata = _client.Ask<MetadataRequest, MetadataResponse>(new MetadataRequest { Topics = [new MetadataRequest.MetadataRequestTopic { Name = "t" }] }, 12, MetadataResponse.Read);
        (metadata.Brokers.Single().NodeId, metadata.ControllerId, metadata.Topics[0].Partitions[0].LeaderId).ShouldBe((0, 0, 0));
        Describe(BrokerType, "0").Single(c => c.Name == "node.id").Value.ShouldBe("0");
        Describe(BrokerType, "1").ShouldBeEmpty();
        await Should.ThrowAsync<ArgumentOutOfRangeException>(() => EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions { NodeId = -1 }, cancellationToken: Cancellation));
    }

    [Fact]
    public void Configs_of_the_broker_tell_where_it_listens_and_the_defaults_of_topics()
    {
        Dictionary<string, DescribeConfigsResponse.Result.Config> configs = Describe(BrokerType, "1").ToDictionary(c => c.Name);
        configs["advertised.listeners"].Value.ShouldBe("PLAINTEXT://" + _kafka.BootstrapServers);
        configs["node.id"].Value.ShouldBe("1");
        configs["log.retention.ms"].Value.ShouldBeNull();
        configs["log.retention.hours"].Value.ShouldBe("168");
        configs["log.segment.bytes"].Value.ShouldBe("1073741824");
        configs["message.max.bytes"].Value.ShouldBe("1048588");
        configs["group.consumer.min.session.timeout.ms"].Value.ShouldBe("45000");
        Alter(BrokerType, "1", ("advertised.listeners", "PLAINTEXT://elsewhere:1")).Item1.ShouldBe(ErrorCode.InvalidConfig);
    }

    // kafkajs's suite: the default of retention.ms is told in hours, so that under log.retention.ms there is none.
    [Fact]
    public void Synonym_of_a_topic_config_is_told_where_the_broker_has_a_value_under_that_name()
    {
        Create("t");
        Dictionary<string, DescribeConfigsResponse.Result.Config> configs = Describe(2, "t").ToDictionary(c => c.Name);
        configs["retention.ms"].Synonyms.ShouldBeEmpty();
        configs["segment.bytes"].Synonyms.Select(s => (s.Name, s.Value)).ShouldBe([("log.segment.bytes", "1073741824")]);
        Alter(2, "t", ("retention.ms", "5")).ShouldBe((ErrorCode.None, null));
        Describe(2, "t").Single(c => c.Name == "retention.ms").Synonyms.Select(s => (s.Name, s.Value)).ShouldBe([("retention.ms", "5")]);
    }

    // The Java client leaves the name empty when it asks by the id, and then found that all topics were unknown.
    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void Metadata_is_told_by_topic_id_whatever_the_name(string? name)
    {
        Guid id = Create("t");
        Guid unknown = Guid.CreateVersion7();
        MetadataResponse metadata = _client.Ask<MetadataRequest, MetadataResponse>(
            new MetadataRequest { Topics = [.. new[] { id, unknown }.Select(t => new MetadataRequest.MetadataRequestTopic { TopicId = t, Name = name })] }, 12, MetadataResponse.Read);
        metadata.Topics.Select(t => (t.TopicId, t.Name, (ErrorCode)t.ErrorCode)).ShouldBe([(id, "t", ErrorCode.None), (unknown, null, ErrorCode.UnknownTopicId)]);
    }

    [Fact]
    public void Topic_whose_name_differs_from_another_by_dots_and_underscores_only_is_refused()
    {
        Create("a.b_c");
        CreateTopicsResponse refused = _client.Ask<CreateTopicsRequest, CreateTopicsResponse>(new CreateTopicsRequest { Topics = [new CreateTopicsRequest.CreatableTopic { Name = "a_b.c", NumPartitions = 1, ReplicationFactor = 1 }] }, 7, CreateTopicsResponse.Read);
        ((ErrorCode)refused.Topics[0].ErrorCode, refused.Topics[0].ErrorMessage).ShouldBe((ErrorCode.InvalidTopic, "Topic 'a_b.c' collides with existing topic: a.b_c"));
    }

    // kafkajs's suite: replicas that were assigned by hand were not looked at when a topic got more partitions.
    [Fact]
    public void Partitions_are_added_with_replicas_on_this_broker_only()
    {
        Create("t");
        (ErrorCode, string?) Grow(int count, params int[][]? assignments)
        {
            CreatePartitionsResponse.TopicItem result = _client.Ask<CreatePartitionsRequest, CreatePartitionsResponse>(
                new CreatePartitionsRequest { Topics = [new() { Name = "t", Count = count, Assignments = assignments?.Select(a => new CreatePartitionsRequest.TopicItem.Assignment { BrokerIds = [.. a] }).ToList() }] }, 3, CreatePartitionsResponse.Read).Results[0];
            return ((ErrorCode)result.ErrorCode, result.ErrorMessage);
        }

        Grow(1, null).ShouldBe((ErrorCode.InvalidPartitions, "Topic already has 1 partition(s)."));
        Grow(3, [1]).ShouldBe((ErrorCode.InvalidReplicaAssignment, "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."));
        Grow(2, [9]).ShouldBe((ErrorCode.InvalidReplicaAssignment, "The manual partition assignment includes broker 9, but no such broker is registered."));
        Grow(2, [1]).ShouldBe((ErrorCode.None, null));
    }

    [Fact]
    public void Transaction_that_hangs_is_ended_by_a_marker_of_an_administrator()
    {
        Guid id = Create("t");
        InitProducerIdResponse producer = _client.Ask<InitProducerIdRequest, InitProducerIdResponse>(new InitProducerIdRequest { TransactionalId = "tx", TransactionTimeoutMs = 60_000 }, 5, InitProducerIdResponse.Read);
        byte[] open = RecordBatchBuilder.Build([(null, new byte[] { 7 })], 1_700_000_000_000, producer.ProducerId, producer.ProducerEpoch, transactional: true);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(open.AsSpan(53), 0);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(open.AsSpan(17), Crc32C.Compute(open.AsSpan(21)));
        _client.Ask<ProduceRequest, ProduceResponse>(
            new ProduceRequest { Acks = -1, TransactionalId = "tx", TopicData = [new ProduceRequest.TopicItem { TopicId = id, PartitionData = [new ProduceRequest.TopicItem.PartitionItem { Records = open }] }] }, 13, ProduceResponse.Read)
            .Responses[0].PartitionResponses[0].ErrorCode.ShouldBe((short)0);
        DescribeProducersResponse.TopicItem.PartitionItem.Producer Producer() => _client.Ask<DescribeProducersRequest, DescribeProducersResponse>(
            new DescribeProducersRequest { Topics = [new DescribeProducersRequest.TopicItem { Name = "t", PartitionIndexes = [0] }] }, 0, DescribeProducersResponse.Read).Topics[0].Partitions[0].ActiveProducers.Single();
        Producer().CurrentTxnStartOffset.ShouldBe(0);

        WriteTxnMarkersResponse Mark(int coordinatorEpoch) => _client.Ask<WriteTxnMarkersRequest, WriteTxnMarkersResponse>(
            new WriteTxnMarkersRequest
            {
                Markers = [new() { ProducerId = producer.ProducerId, ProducerEpoch = producer.ProducerEpoch, CoordinatorEpoch = coordinatorEpoch, Topics = [new() { Name = "t", PartitionIndexes = [0, 7] }] }],
            }, 1, WriteTxnMarkersResponse.Read);
        Mark(coordinatorEpoch: 3).Markers[0].Topics[0].Partitions.Select(p => (ErrorCode)p.ErrorCode).ShouldBe([ErrorCode.None, ErrorCode.UnknownTopicOrPartition]);
        (Producer().CurrentTxnStartOffset, Producer().CoordinatorEpoch).ShouldBe((-1, 3));
        ((ErrorCode)Mark(coordinatorEpoch: 2).Markers[0].Topics[0].Partitions[0].ErrorCode).ShouldBe(ErrorCode.TransactionCoordinatorFenced);
    }

    [Fact]
    public void Append_to_a_config_that_is_no_list_is_refused()
    {
        Create("t");
        Alter(2, "t", operation: 2, ("retention.ms", "1")).ShouldBe((ErrorCode.InvalidConfig, "Can't APPEND to key retention.ms because its type is not LIST."));
        Alter(2, "t", operation: 2, ("cleanup.policy", "compact")).ShouldBe((ErrorCode.None, null));
        Describe(2, "t").Single(c => c.Name == "cleanup.policy").Value.ShouldBe("delete,compact");
    }

    [Fact]
    public void DescribeQuorum_tells_of_one_voter_who_leads()
    {
        DescribeQuorumResponse quorum = _client.Ask<DescribeQuorumRequest, DescribeQuorumResponse>(
            new DescribeQuorumRequest { Topics = [new DescribeQuorumRequest.TopicItem { TopicName = "__cluster_metadata", Partitions = [new DescribeQuorumRequest.TopicItem.PartitionItem(), new DescribeQuorumRequest.TopicItem.PartitionItem { PartitionIndex = 1 }] }] }, 2, DescribeQuorumResponse.Read);
        List<DescribeQuorumResponse.TopicItem.PartitionItem> partitions = quorum.Topics.Single().Partitions;
        (partitions[0].ErrorCode, partitions[0].LeaderId, partitions[0].CurrentVoters.Single().ReplicaId).ShouldBe(((short)0, 1, 1));
        partitions[1].ErrorCode.ShouldBe((short)ErrorCode.UnknownTopicOrPartition);
        $"{quorum.Nodes.Single().Listeners.Single().Host}:{quorum.Nodes[0].Listeners[0].Port}".ShouldBe(_kafka.BootstrapServers);
    }

    [Fact]
    public async Task Quotas_are_validated_kept_and_found_by_filter()
    {
        Quota([("user", "u")], ("producer_byte_rate", 1000.5)).ShouldBe((ErrorCode.InvalidRequest, "producer_byte_rate cannot be a fractional value."));
        Quota([("user", "u")], ("speed", 1)).ShouldBe((ErrorCode.InvalidRequest, "Invalid configuration key speed"));
        Quota([("ip", "127.0.0.1"), ("user", "u")], ("connection_creation_rate", 1)).Error.ShouldBe(ErrorCode.InvalidRequest);
        Quota([("user", "u")], ("producer_byte_rate", 1000), ("request_percentage", 12.5)).ShouldBe((ErrorCode.None, null));
        Quota([("user", null)], ("consumer_byte_rate", 2000)).ShouldBe((ErrorCode.None, null));
        Quota([("client-id", "c"), ("user", "u")], ("consumer_byte_rate", 3000)).ShouldBe((ErrorCode.None, null));

        await Restart(new EmbeddedKafkaOptions());
        Find(strict: false, ("user", 0, "u")).ShouldBe(["producer_byte_rate=1000,request_percentage=12.5", "consumer_byte_rate=3000"], ignoreOrder: true);
        Find(strict: true, ("user", 0, "u")).ShouldBe(["producer_byte_rate=1000,request_percentage=12.5"]);
        Find(strict: true, ("user", 1, null)).ShouldBe(["consumer_byte_rate=2000"]);
        Find(strict: false, ("user", 2, null)).Count.ShouldBe(3);
        _client.Ask<AlterClientQuotasRequest, AlterClientQuotasResponse>(
            new AlterClientQuotasRequest { Entries = [new AlterClientQuotasRequest.Entry { Entity = [new() { EntityType = "user", EntityName = null }], Ops = [new() { Key = "consumer_byte_rate", Remove = true }] }] }, 1, AlterClientQuotasResponse.Read).Entries[0].ErrorCode.ShouldBe((short)0);
        Find(strict: true, ("user", 1, null)).ShouldBeEmpty();
    }

    // Every append made the broker read again all that a waiting reader would get, and throw it away.
    [Fact]
    public async Task Fetch_that_waits_for_more_bytes_is_answered_when_the_last_of_them_are_there()
    {
        Guid id = Create("t");
        byte[] batch = RecordBatchBuilder.Build([(null, new byte[100])], 1_700_000_000_000);
        void Produce() => _client.Ask<ProduceRequest, ProduceResponse>(
            new ProduceRequest { Acks = -1, TopicData = [new ProduceRequest.TopicItem { TopicId = id, PartitionData = [new ProduceRequest.TopicItem.PartitionItem { Records = batch.ToArray() }] }] }, 13, ProduceResponse.Read);
        var request = new FetchRequest
        {
            MaxBytes = 1_000_000,
            SessionEpoch = -1,
            MaxWaitMs = 60_000,
            MinBytes = 3 * batch.Length,
            Topics = [new FetchRequest.TopicItem { TopicId = id, Partitions = [new FetchRequest.TopicItem.PartitionItem { PartitionMaxBytes = 1_000_000 }] }],
        };
        using var reader = new RawClient(_kafka);
        Task<FetchResponse> waiting = Task.Run(() => reader.Ask<FetchRequest, FetchResponse>(request, 18, FetchResponse.Read), Cancellation);
        Produce();
        Produce();
        waiting.IsCompleted.ShouldBeFalse();
        Produce();
        (await waiting.WaitAsync(Patience, Cancellation)).Responses[0].Partitions[0].Records!.Value.Length.ShouldBe(3 * batch.Length);
    }

    private async ValueTask Start(EmbeddedKafkaOptions options, ILoggerFactory? log = null)
    {
        _kafka = await EmbeddedKafka.StartAsync(options with { DataDirectory = _directory }, log, cancellationToken: Cancellation);
        _client = new RawClient(_kafka);
    }

    private async Task Restart(EmbeddedKafkaOptions options, ILoggerFactory? log = null)
    {
        _client.Dispose();
        await _kafka.DisposeAsync();
        await Start(options, log);
    }

    // Sends what is no request, and waits until the broker has closed the connection.
    private async Task Garbage()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPEndPoint.Parse(_kafka.BootstrapServers), Cancellation);
        await client.GetStream().WriteAsync(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF }, Cancellation);
        (await client.GetStream().ReadAsync(new byte[1], Cancellation)).ShouldBe(0);
    }

    private Guid Create(string topic) =>
        _client.Ask<CreateTopicsRequest, CreateTopicsResponse>(new CreateTopicsRequest { Topics = [new CreateTopicsRequest.CreatableTopic { Name = topic, NumPartitions = 1, ReplicationFactor = 1 }] }, 7, CreateTopicsResponse.Read).Topics[0].TopicId;

    // Joins and is told the heartbeat interval.
    private int JoinConsumers(string group) => _client.Ask<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse>(
        new ConsumerGroupHeartbeatRequest { GroupId = group, MemberId = Guid.CreateVersion7().ToString(), RebalanceTimeoutMs = 10_000, SubscribedTopicNames = ["t"], TopicPartitions = [] }, 1, ConsumerGroupHeartbeatResponse.Read).HeartbeatIntervalMs;

    private (ErrorCode, string?) Alter(sbyte type, string name, params (string Name, string? Value)[] configs) => Alter(type, name, operation: 0, configs);

    private (ErrorCode, string?) Alter(sbyte type, string name, sbyte operation, params (string Name, string? Value)[] configs)
    {
        IncrementalAlterConfigsResponse.Result result = _client.Ask<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>(
            new IncrementalAlterConfigsRequest
            {
                Resources = [new IncrementalAlterConfigsRequest.Resource { ResourceType = type, ResourceName = name, Configs = [.. configs.Select(c => new IncrementalAlterConfigsRequest.Resource.Config { Name = c.Name, Value = c.Value, ConfigOperation = operation })] }],
            }, 1, IncrementalAlterConfigsResponse.Read).Responses[0];
        return ((ErrorCode)result.ErrorCode, result.ErrorMessage);
    }

    private List<DescribeConfigsResponse.Result.Config> Describe(sbyte type, string name) => _client.Ask<DescribeConfigsRequest, DescribeConfigsResponse>(
        new DescribeConfigsRequest { Resources = [new DescribeConfigsRequest.Resource { ResourceType = type, ResourceName = name, ConfigurationKeys = null }], IncludeSynonyms = true }, 4, DescribeConfigsResponse.Read).Results[0].Configs;

    private List<(string, sbyte)> List(short version, List<sbyte> types) => _client.Ask<ListConfigResourcesRequest, ListConfigResourcesResponse>(
        new ListConfigResourcesRequest { ResourceTypes = types }, version, ListConfigResourcesResponse.Read).ConfigResources.ConvertAll(r => (r.ResourceName, r.ResourceType));

    private (ErrorCode Error, string? Message) Quota((string Type, string? Name)[] entity, params (string Key, double Value)[] values)
    {
        AlterClientQuotasResponse.Entry entry = _client.Ask<AlterClientQuotasRequest, AlterClientQuotasResponse>(
            new AlterClientQuotasRequest
            {
                Entries =
                [
                    new AlterClientQuotasRequest.Entry
                    {
                        Entity = [.. entity.Select(e => new AlterClientQuotasRequest.Entry.EntityPart { EntityType = e.Type, EntityName = e.Name })],
                        Ops = [.. values.Select(v => new AlterClientQuotasRequest.Entry.Operation { Key = v.Key, Value = v.Value })],
                    },
                ],
            }, 1, AlterClientQuotasResponse.Read).Entries[0];
        return ((ErrorCode)entry.ErrorCode, entry.ErrorMessage);
    }

    private List<string> Find(bool strict, params (string Type, sbyte MatchType, string? Match)[] components) => _client.Ask<DescribeClientQuotasRequest, DescribeClientQuotasResponse>(
        new DescribeClientQuotasRequest { Strict = strict, Components = [.. components.Select(c => new DescribeClientQuotasRequest.Component { EntityType = c.Type, MatchType = c.MatchType, Match = c.Match })] }, 1, DescribeClientQuotasResponse.Read)
        .Entries!.ConvertAll(e => string.Join(',', e.Values.Select(v => FormattableString.Invariant($"{v.Key}={v.Value}"))));

    private sealed class KeptLog : ILoggerFactory, ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Debug;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Lines.Enqueue(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}
