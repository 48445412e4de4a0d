using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>Configs of topics, of groups, of subscriptions to metrics, of the broker and of its loggers.</summary>
public sealed class ConfigProtocolTests : ConfigRequests
{
    [Fact]
    public async Task Configs_of_a_group_are_validated_kept_over_a_restart_and_listed()
    {
        Alter(GroupType, "", (SessionTimeout, "50000")).ShouldBe((ErrorCode.InvalidRequest, "Group name must not be empty"));
        Alter(GroupType, "g", (SessionTimeout, "1000"))
            .ShouldBe((ErrorCode.InvalidConfig,
                "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms"));
        Alter(GroupType, "g", (HeartbeatInterval, "15001"))
            .ShouldBe((ErrorCode.InvalidConfig,
                "consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms"));
        Alter(GroupType, "g", ("retention.ms", "1000")).ShouldBe((ErrorCode.InvalidConfig, "Unknown group config name: retention.ms"));
        Alter(GroupType, "g", (SessionTimeout, "soon")).Item1.ShouldBe(ErrorCode.InvalidConfig);
        Alter(GroupType, "g", (SessionTimeout, "50000"), (SessionTimeout, "51000")).ShouldBe(
            (ErrorCode.InvalidRequest, "Error due to duplicate config keys : consumer.session.timeout.ms"));
        Alter(GroupType, "g", (SessionTimeout, "50000")).ShouldBe((ErrorCode.None, null));
        (string? Value, sbyte Source, bool ReadOnly) Session(string group) =>
            Describe(GroupType, group).Where(c => c.Name == SessionTimeout).Select(c => (c.Value, c.ConfigSource, c.ReadOnly)).Single();
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
        await Restart(new EmbeddedKafkaOptions
        {
            ConsumerSessionTimeout = TimeSpan.FromMilliseconds(300), ConsumerHeartbeatInterval = TimeSpan.FromMilliseconds(100),
        });
        Create("t");
        Alter(GroupType, "long", (SessionTimeout, "60000"), (HeartbeatInterval, "7000")).ShouldBe((ErrorCode.None, null));
        JoinConsumers("long").ShouldBe(7_000);
        JoinConsumers("short").ShouldBe(100);
        int Members(string group) => Client.Ask<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse>(
            new ConsumerGroupDescribeRequest { GroupIds = [group] }, 1, ConsumerGroupDescribeResponse.Read).Groups[0].Members.Count;
        long start = TimeProvider.System.GetTimestamp();
        while (Members("short") > 0)
            (TimeProvider.System.GetElapsedTime(start) < Patience).ShouldBeTrue(
                "the member of the group with the broker's session timeout stays");
        Members("long").ShouldBe(1);
    }

    [Fact]
    public async Task Subscriptions_toClient_metrics_are_validated_kept_over_a_restart_and_listed()
    {
        Alter(ClientMetricsType, "", ("metrics", "a")).ShouldBe(
            (ErrorCode.InvalidRequest, "Client metrics subscription name must not be empty"));
        Alter(ClientMetricsType, "m", ("retention.ms", "1000")).ShouldBe(
            (ErrorCode.InvalidRequest, "Unknown client metrics configuration: retention.ms"));
        Alter(ClientMetricsType, "m", ("interval.ms", "99")).ShouldBe(
            (ErrorCode.InvalidRequest, "Invalid value 99 for interval.ms, interval must be between 100 and 3600000 (1 hour)"));
        Alter(ClientMetricsType, "m", ("interval.ms", "soon")).Item1.ShouldBe(ErrorCode.InvalidConfig);
        foreach (string pattern in (string[])["client_id", "client_id=", "colour=red", "client_id=(", "client_id=a=b"])
            Alter(ClientMetricsType, "m", ("match", "client_software_name=Java," + pattern)).Item1.ShouldBe(
                ErrorCode.InvalidConfig, pattern);
        Alter(ClientMetricsType, "m", ("metrics", "org.apache.kafka.producer."),
            ("match", "client_software_name=Java,client_software_version=11.1.*")).ShouldBe((ErrorCode.None, null));
        Alter(ClientMetricsType, "m", operation: 2, ("metrics", "org.apache.kafka.consumer.")).ShouldBe((ErrorCode.None, null));

        await Restart(new EmbeddedKafkaOptions());
        Describe(ClientMetricsType, "m").Select(c => (c.Name, c.Value, c.ConfigSource)).ShouldBe(
        [
            ("metrics", "org.apache.kafka.producer.,org.apache.kafka.consumer.", (sbyte)7), ("interval.ms", "300000", (sbyte)5),
            ("match", "client_software_name=Java,client_software_version=11.1.*", (sbyte)7),
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
        Describe(LoggerType, "1").Select(c => (c.Name, c.Value, c.ConfigSource, c.ReadOnly)).ShouldBe(
            [("root", "DEBUG", (sbyte)6, false), (logger, "DEBUG", (sbyte)6, false)]);
        Alter(LoggerType, "2", (logger, "WARN")).Item1.ShouldBe(ErrorCode.InvalidRequest);
        Alter(LoggerType, "1", ("kafka.server", "WARN")).ShouldBe((ErrorCode.InvalidConfig, "Logger kafka.server does not exist!"));
        Alter(LoggerType, "1", (logger, "LOUD")).ShouldBe((ErrorCode.InvalidConfig,
            $"Cannot set the log level of {logger} to LOUD as it is not a supported log level. Valid log levels are FATAL, ERROR, WARN, "
                + $"INFO, DEBUG, TRACE"));
        Alter(LoggerType, "1", operation: 2, (logger, "WARN")).ShouldBe(
            (ErrorCode.InvalidRequest, "APPEND operation is not allowed for the BROKER_LOGGER resource"));
        Alter(LoggerType, "1", operation: 1, ("root", null)).ShouldBe(
            (ErrorCode.InvalidRequest, "Removing the log level of the root logger is not allowed"));
        Client.Ask<AlterConfigsRequest, AlterConfigsResponse>(new AlterConfigsRequest
        {
            Resources = [new AlterConfigsRequest.Resource { ResourceType = LoggerType, ResourceName = "1", Configs = [] }],
        }, 2, AlterConfigsResponse.Read)
            .Responses[0].ErrorCode.ShouldBe((short)ErrorCode.InvalidRequest);

        // A client that sends garbage learns of in the log, unless that is for errors only.
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
        Client.Ask<ListConfigResourcesRequest, ListConfigResourcesResponse>(new ListConfigResourcesRequest { ResourceTypes = [3] }, 1,
            ListConfigResourcesResponse.Read).ErrorCode.ShouldBe((short)ErrorCode.UnsupportedVersion);
    }

    [Fact]
    public void Configs_of_the_broker_tell_where_it_listens_and_the_defaults_of_topics()
    {
        Dictionary<string, DescribeConfigsResponse.Result.Config> configs = Describe(BrokerType, "1").ToDictionary(c => c.Name);
        configs["advertised.listeners"].Value.ShouldBe("PLAINTEXT://" + Kafka.BootstrapServers);
        configs["node.id"].Value.ShouldBe("1");
        configs["log.retention.ms"].Value.ShouldBeNull();
        configs["log.retention.hours"].Value.ShouldBe("168");
        configs["log.segment.bytes"].Value.ShouldBe("1073741824");
        configs["message.max.bytes"].Value.ShouldBe("1048588");
        configs["group.consumer.min.session.timeout.ms"].Value.ShouldBe("45000");
        Alter(BrokerType, "1", ("advertised.listeners", "PLAINTEXT://elsewhere:1")).ShouldBe(
            (ErrorCode.InvalidRequest, "Cannot update these configs dynamically: Set(advertised.listeners)"));
    }

    [Theory]
    [InlineData("min.cleanable.dirty.ratio", "0.10", "0.1")]
    [InlineData("min.cleanable.dirty.ratio", " 1 ", "1.0")]
    [InlineData("min.cleanable.dirty.ratio", "5e-1", "0.5")]
    [InlineData("min.cleanable.dirty.ratio", "0.0005", "5.0E-4")]
    [InlineData("min.cleanable.dirty.ratio", "0", "0.0")]
    [InlineData("cleanup.policy", " compact, delete ", "compact,delete")]
    [InlineData("cleanup.policy", "delete ,compact", "delete,compact")]
    [InlineData("retention.ms", " +1000 ", "1000")]
    [InlineData("retention.ms", "-1", "-1")]
    [InlineData("segment.bytes", "0001048576", "1048576")]
    [InlineData("preallocate", "TRUE", "true")]
    [InlineData("compression.type", " lz4 ", "lz4")]
    public void Value_comes_back_as_Kafka_has_read_it(string name, string given, string told)
    {
        var created = new CreateTopicsRequest.CreatableTopic
        {
            Name = "made",
            NumPartitions = 1,
            ReplicationFactor = 1,
            Configs = [new CreateTopicsRequest.CreatableTopic.CreatableConfig { Name = name, Value = given }],
        };
        CreateTopicsResponse.TopicItem made = Client.Ask<CreateTopicsRequest, CreateTopicsResponse>(
            new CreateTopicsRequest { Topics = [created] }, 7, CreateTopicsResponse.Read).Topics[0];
        made.ErrorCode.ShouldBe((short)0);
        made.Configs!.Single(c => c.Name == name).Value.ShouldBe(told);
        Create("t");
        Alter(TopicType, "t", (name, given)).ShouldBe((ErrorCode.None, null));
        foreach (string topic in (string[])["made", "t"])
        {
            DescribeConfigsResponse.Result.Config described = Describe(TopicType, topic).Single(c => c.Name == name);
            (described.Value, described.Synonyms[0].Value).ShouldBe((told, told));
        }
    }

    [Theory]
    [InlineData("retention.msec", "1", "Unknown topic config name: retention.msec")]
    [InlineData("retention.ms", "a week", "Invalid value a week for configuration retention.ms: Not a number of type LONG")]
    [InlineData("min.cleanable.dirty.ratio", "2",
        "Invalid value 2 for configuration min.cleanable.dirty.ratio: Value must be no more than 1")]
    [InlineData("cleanup.policy", "compact,burn",
        "Invalid value burn for configuration cleanup.policy: String must be one of: compact, delete")]
    public void Config_that_a_topic_cannot_have_is_named_when_it_is_made_and_when_it_is_changed(string name, string value, string message)
    {
        var topic = new CreateTopicsRequest.CreatableTopic
        {
            Name = "made",
            NumPartitions = 1,
            ReplicationFactor = 1,
            Configs = [new CreateTopicsRequest.CreatableTopic.CreatableConfig { Name = name, Value = value }],
        };
        CreateTopicsResponse.TopicItem made = Client.Ask<CreateTopicsRequest, CreateTopicsResponse>(
            new CreateTopicsRequest { Topics = [topic] }, 7, CreateTopicsResponse.Read).Topics[0];
        ((ErrorCode)made.ErrorCode, made.ErrorMessage).ShouldBe((ErrorCode.InvalidConfig, message));
        Create("t");
        Alter(TopicType, "t", (name, value)).ShouldBe((ErrorCode.InvalidConfig, message));
    }

    [Fact]
    public void Append_to_a_config_that_is_no_list_is_refused()
    {
        Create("t");
        Alter(TopicType, "t", operation: 2, ("retention.ms", "1")).ShouldBe(
            (ErrorCode.InvalidConfig, "Can't APPEND to key retention.ms because its type is not LIST."));
        Alter(TopicType, "t", operation: 2, ("cleanup.policy", "compact")).ShouldBe((ErrorCode.None, null));
        Describe(TopicType, "t").Single(c => c.Name == "cleanup.policy").Value.ShouldBe("delete,compact");
    }

    [Fact]
    public async Task Configs_of_a_node_are_told_under_its_id_only()
    {
        await Restart(new EmbeddedKafkaOptions { NodeId = 0 });
        Describe(BrokerType, "0").Single(c => c.Name == "node.id").Value.ShouldBe("0");
        Describe(BrokerType, "1").ShouldBeEmpty();
    }

    [Fact]
    public void Config_of_a_broker_that_it_cannot_take_is_refused()
    {
        Alter(BrokerType, "1", ("log.segment.bytes", "few")).ShouldBe(
            (ErrorCode.InvalidRequest, "Invalid value few for configuration log.segment.bytes: Not a number of type INT"));
        Alter(BrokerType, "", ("log.cleanup.policy", "burn")).ShouldBe(
            (ErrorCode.InvalidRequest, "Invalid value burn for configuration log.cleanup.policy: String must be one of: compact, delete"));
        Alter(BrokerType, "1", ("log.segment.byte", "1048576")).ShouldBe(
            (ErrorCode.InvalidRequest, "Unknown broker config name: log.segment.byte"));
        Alter(BrokerType, "1", operation: 2, ("log.cleanup.policy", "compact")).ShouldBe((ErrorCode.None, null));
        Describe(BrokerType, "1").Single(c => c.Name == "log.cleanup.policy").Value.ShouldBe("delete,compact");
    }

    [Theory]
    [InlineData(TopicType, "t")]
    [InlineData(BrokerType, "1")]
    [InlineData(GroupType, "g")]
    [InlineData(ClientMetricsType, "m")]
    public void Each_config_has_documentation_for_whom_asks(sbyte type, string name)
    {
        Create("t");
        List<DescribeConfigsResponse.Result.Config> Ask(bool documented) => Client.Ask<DescribeConfigsRequest, DescribeConfigsResponse>(
            new DescribeConfigsRequest
            {
                Resources = [new DescribeConfigsRequest.Resource { ResourceType = type, ResourceName = name, ConfigurationKeys = null }],
                IncludeDocumentation = documented,
            }, 4, DescribeConfigsResponse.Read).Results[0].Configs;
        Ask(documented: true).Where(c => string.IsNullOrEmpty(c.Documentation)).Select(c => c.Name).ShouldBeEmpty();
        Ask(documented: false).ShouldAllBe(c => c.Documentation == null);
    }

    // Sends what is not a request, and waits until the broker has closed the connection.
    private async Task Garbage()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPEndPoint.Parse(Kafka.BootstrapServers), Cancellation);
        await client.GetStream().WriteAsync(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF }, Cancellation);
        (await client.GetStream().ReadAsync(new byte[1], Cancellation)).ShouldBe(0);
    }

    // Joins and is told the heartbeat interval.
    private int JoinConsumers(string group) => Client.Ask<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse>(
        new ConsumerGroupHeartbeatRequest
        {
            GroupId = group,
            MemberId = Guid.CreateVersion7().ToString(),
            RebalanceTimeoutMs = 10_000,
            SubscribedTopicNames = ["t"],
            TopicPartitions = [],
        }, 1, ConsumerGroupHeartbeatResponse.Read).HeartbeatIntervalMs;

    private List<(string, sbyte)> List(short version, List<sbyte> types) =>
        Client.Ask<ListConfigResourcesRequest, ListConfigResourcesResponse>(
        new ListConfigResourcesRequest { ResourceTypes = types }, version, ListConfigResourcesResponse.Read).ConfigResources.ConvertAll(r =>
            (r.ResourceName, r.ResourceType));

    private sealed class KeptLog : ILoggerFactory, ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Debug;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => Lines.Enqueue(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}
