namespace KafkaEventSourcing.EventLog.Tests;

/// <summary>What a cluster of several brokers has that a single one cannot.</summary>
public sealed class TopicRulesTests
{
    private readonly TopicFamily _family = new("app", "thing");

    [Fact]
    public void One_replica_on_several_brokers_is_weaker() =>
        Weaker(brokers: 3, t => t.Name == _family.Events ? t with { Replicas = 1, Configs = With(t, ("min.insync.replicas", "1")) } : t)
            .ShouldBe(
            ["app.thing.events: replicas is 1; it should be 3. The cluster has 3 brokers; with the one that has it a partition is gone. "
                + "kafka-reassign-partitions gives it more."]);

    [Fact]
    public void One_replica_on_one_broker_is_as_it_can_be() =>
        Weaker(brokers: 1, t => t with { Replicas = 1, Configs = With(t, ("min.insync.replicas", "1")) }).ShouldBeEmpty();

    [Theory]
    [InlineData("min.insync.replicas", "1",
        "app.thing.events: min.insync.replicas is 1; it should be 2. What one of its 3 replicas has alone is acknowledged, and gone with "
            + "it.")]
    [InlineData("min.insync.replicas", "4",
        "app.thing.events: min.insync.replicas is 4; it should be at most 3. It has 3 replicas: a cluster that counts them refuses each "
            + "write.")]
    [InlineData("unclean.leader.election.enable", "True",
        "app.thing.events: unclean.leader.election.enable is True; it should be false. A replica that is behind may become the leader, "
            + "and what it does not have is gone.")]
    public void Config_that_keeps_less_than_it_could_is_weaker(string config, string value, string told) =>
        Weaker(brokers: 3, t => t.Name == _family.Events ? t with { Configs = With(t, (config, value)) } : t).ShouldBe([told]);

    [Theory]
    [InlineData(1_440, true)]
    [InlineData(10_080, false)]
    public void Offsets_that_are_forgotten_before_the_commands_are_told(int minutes, bool isTold)
    {
        string[] told = [.. new TopicRules(_family, isProcess: false).Check(
            State(3, t => t) with { OffsetsRetention = TimeSpan.FromMinutes(minutes) }, started: null).Select(f => f.ToString())];
        told.ShouldBe(isTold
            ? ["app.thing.commands: offsets.retention.minutes is 1440; it should be at least as long as the commands are kept. Commands "
                + "are kept for 7 days, and how far they were read is forgotten 1 days after the last node has left."]
            : []);
    }

    [Fact]
    public void Cluster_that_tells_no_configs_is_not_judged_by_them() =>
        Weaker(brokers: 3, t => t with { Configs = new Dictionary<string, string>() }).ShouldBeEmpty();

    [Theory]
    [InlineData(-1, 1, 1, 1, -1, null)] // one broker: its own default
    [InlineData(-1, 2, 1, 1, 2, null)]
    [InlineData(-1, 3, 1, 1, 3, 2)]
    [InlineData(-1, 9, 1, 1, 3, 2)]
    [InlineData(-1, 3, 1, 2, 3, null)] // the brokers' default is enough
    [InlineData(-1, 5, 4, 1, 4, 2)] // more is theirs to say
    [InlineData(1, 3, 3, 2, 1, null)]
    [InlineData(3, 1, 1, 1, 3, 2)]
    public void Replicas_of_a_topic_follow_what_is_said_and_then_the_brokers(
        short said, int brokers, short defaultFactor, int defaultInSync, short factor, int? inSync) =>
        TopicReplication.Choose(said, brokers, new ReplicationDefaults { Factor = defaultFactor, InSync = defaultInSync }).ShouldBe(
            (factor, inSync));

    private static Dictionary<string, string> With(TopicState topic, (string Name, string Value) config) =>
        new(topic.Configs) { [config.Name] = config.Value };

    private string[] Weaker(int brokers, Func<TopicState, TopicState> change)
    {
        IReadOnlyList<TopicFinding> findings = new TopicRules(_family, isProcess: false).Check(State(brokers, change), started: null);
        findings.ShouldAllBe(f => f.Risk == TopicRisk.Weaker);
        return [.. findings.Select(f => f.ToString())];
    }

    private TopicFamilyState State(int brokers, Func<TopicState, TopicState> change)
    {
        var defaults = new Dictionary<string, string>
        {
            ["cleanup.policy"] = "delete",
            ["retention.ms"] = "604800000",
            ["retention.bytes"] = "-1",
            ["max.message.bytes"] = "1048588",
        };
        return new(
            [.. TopicDeclaration.For(_family, 4, 3).Topics.Select(t =>
                change(new TopicState(t.Name, 4, 3,
                    defaults.Concat(t.Configs).GroupBy(c => c.Key).ToDictionary(g => g.Key, g => g.Last().Value))))], brokers, null);
    }
}
