using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>Configs of the broker that are defaults of topics.</summary>
public sealed class TopicDefaultsProtocolTests : ConfigRequests
{
    // kafkajs's suite: the default of retention.ms is told in hours, so that under log.retention.ms there is none.
    [Fact]
    public void Synonym_of_a_topic_config_is_told_where_the_broker_has_a_value_under_that_name()
    {
        Create("t");
        Dictionary<string, DescribeConfigsResponse.Result.Config> configs = Describe(TopicType, "t").ToDictionary(c => c.Name);
        configs["retention.ms"].Synonyms.ShouldBeEmpty();
        configs["segment.bytes"].Synonyms.Select(s => (s.Name, s.Value)).ShouldBe([("log.segment.bytes", "1073741824")]);
        Alter(TopicType, "t", ("retention.ms", "5")).ShouldBe((ErrorCode.None, null));
        Describe(TopicType, "t").Single(c => c.Name == "retention.ms").Synonyms.Select(s => (s.Name, s.Value)).ShouldBe(
            [("retention.ms", "5")]);
    }

    [Fact]
    public void Default_of_the_cluster_comes_back_as_Kafka_has_read_it()
    {
        Create("t");
        Alter(BrokerType, "", ("log.cleaner.min.cleanable.ratio", "0.20")).ShouldBe((ErrorCode.None, null));
        Describe(BrokerType, "").Single().Value.ShouldBe("0.2");
        Describe(TopicType, "t").Single(c => c.Name == "min.cleanable.dirty.ratio").Value.ShouldBe("0.2");
        Alter(GroupType, "g", (SessionTimeout, " 050000 ")).ShouldBe((ErrorCode.None, null));
        Describe(GroupType, "g").Single(c => c.Name == SessionTimeout).Value.ShouldBe("50000");
    }

    [Fact]
    public async Task Defaults_of_topic_configs_are_changed_for_the_cluster_and_for_the_broker_while_it_runs()
    {
        Guid id = Create("t");
        (string? Value, sbyte Source, (string?, string?, sbyte)[] Synonyms) Largest() =>
            Describe(TopicType, "t").Where(c => c.Name == "max.message.bytes").Select(c =>
                (c.Value, c.ConfigSource, c.Synonyms.Select(s => ((string?)s.Name, s.Value, s.Source)).ToArray())).Single();
        Produce(id, 2_000).ShouldBe(ErrorCode.None);

        Alter(BrokerType, "", ("message.max.bytes", "1000")).ShouldBe((ErrorCode.None, null));
        Produce(id, 2_000).ShouldBe(ErrorCode.MessageTooLarge);
        Alter(BrokerType, "1", ("message.max.bytes", "3000")).ShouldBe((ErrorCode.None, null));
        Produce(id, 2_000).ShouldBe(ErrorCode.None);
        Produce(id, 4_000).ShouldBe(ErrorCode.MessageTooLarge);
        (string? value, sbyte source, (string?, string?, sbyte)[] synonyms) = Largest();
        (value, source).ShouldBe(("3000", OfBroker));
        synonyms.ShouldBe([("message.max.bytes", "3000", OfBroker), ("message.max.bytes", "1000", OfCluster),
            ("message.max.bytes", "1048588", Default)]);
        Describe(BrokerType, "").Select(c => (c.Name, c.Value, c.ConfigSource)).ShouldBe([("message.max.bytes", "1000", OfCluster)]);

        await Restart(new EmbeddedKafkaOptions());
        (Largest().Value, Largest().Source).ShouldBe(("3000", OfBroker));
        Produce(id, 4_000).ShouldBe(ErrorCode.MessageTooLarge);
        Produce(Create("later"), 4_000).ShouldBe(ErrorCode.MessageTooLarge);
        Alter(TopicType, "t", ("max.message.bytes", "5000")).ShouldBe((ErrorCode.None, null));
        Produce(id, 4_000).ShouldBe(ErrorCode.None);
        Alter(TopicType, "t", operation: 1, ("max.message.bytes", null)).ShouldBe((ErrorCode.None, null));
        Alter(BrokerType, "1", operation: 1, ("message.max.bytes", null)).ShouldBe((ErrorCode.None, null));
        (Largest().Value, Largest().Source).ShouldBe(("1000", OfCluster));
        Alter(BrokerType, "", operation: 1, ("message.max.bytes", null)).ShouldBe((ErrorCode.None, null));
        (Largest().Value, Largest().Source).ShouldBe(("1048588", Default));
        Produce(id, 4_000).ShouldBe(ErrorCode.None);
    }

    [Fact]
    public void Default_in_milliseconds_goes_before_the_one_in_hours()
    {
        Create("t");
        Alter(BrokerType, "1", ("log.retention.hours", "1")).ShouldBe(
            (ErrorCode.InvalidRequest, "Cannot update these configs dynamically: Set(log.retention.hours)"));
        Alter(BrokerType, "1", ("log.retention.ms", "60000")).ShouldBe((ErrorCode.None, null));
        DescribeConfigsResponse.Result.Config retention = Describe(TopicType, "t").Single(c => c.Name == "retention.ms");
        (retention.Value, retention.ConfigSource).ShouldBe(("60000", OfBroker));
        retention.Synonyms.Select(s => (s.Name, s.Value, s.Source)).ShouldBe(
            [("log.retention.ms", "60000", OfBroker), ("log.retention.hours", "168", Default)]);
        Describe(BrokerType, "1").Single(c => c.Name == "log.retention.hours").Synonyms.Select(s => (s.Name, s.Value, s.Source)).ShouldBe(
            [("log.retention.hours", "168", Default)]);
    }

    [Fact]
    public void Small_segments_are_for_tests_and_told_of_topics_that_have_them_only()
    {
        Create("t");
        IEnumerable<string> Internal() =>
            Describe(TopicType, "t").Select(c => c.Name).Where(n => n.StartsWith("internal.", StringComparison.Ordinal));
        Alter(TopicType, "t", ("segment.bytes", "1048575")).ShouldBe(
            (ErrorCode.InvalidConfig, "Invalid value 1048575 for configuration segment.bytes: Value must be at least 1048576"));
        Internal().ShouldBeEmpty();
        Alter(TopicType, "t", ("internal.segment.bytes", "1000")).ShouldBe((ErrorCode.None, null));
        Internal().ShouldBe(["internal.segment.bytes"]);
    }
}
