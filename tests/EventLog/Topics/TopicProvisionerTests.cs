using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Text;
using KafkaEventSourcing.Embedded.Kafka;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EventLog.Tests;

public sealed class TopicProvisionerTests(ServersFixture fixture) : IClassFixture<ServersFixture>, IDisposable
{
    private readonly TestServers _servers = fixture.Servers;
    private readonly TopicProvisioner _provisioner = new(fixture.Servers.Addresses.KafkaConnection);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _provisioner.Dispose();

    [Fact]
    public async Task Apply_creates_what_is_missing_and_a_second_plan_is_empty()
    {
        TopicDeclaration declaration = TopicDeclaration.For(new TopicFamily(TestServers.UniqueName("app"), "thing"), 3, -1);
        TopicPlan plan = await _provisioner.PlanAsync(declaration, Cancellation);
        plan.Missing.Count.ShouldBe(6);
        await _provisioner.ApplyAsync(plan, Cancellation);
        (await _provisioner.PlanAsync(declaration, Cancellation)).IsEmpty.ShouldBeTrue();
    }

    [Fact]
    public async Task Drifted_config_is_set_again()
    {
        string name = TestServers.UniqueName("topic");
        TopicDeclaration before = Declare(name, 1, ("retention.ms", "1000"));
        await _provisioner.ApplyAsync(await _provisioner.PlanAsync(before, Cancellation), Cancellation);
        TopicPlan plan = await _provisioner.PlanAsync(Declare(name, 1, ("retention.ms", "2000")), Cancellation);
        plan.Drifted.ShouldBe([(name, "retention.ms", "1000", "2000")]);
        await _provisioner.ApplyAsync(plan, Cancellation);
        (await _provisioner.PlanAsync(Declare(name, 1, ("retention.ms", "2000")), Cancellation)).IsEmpty.ShouldBeTrue();
    }

    [Fact]
    public async Task Other_partition_count_is_refused_because_keys_would_move()
    {
        string name = TestServers.UniqueName("topic");
        await _provisioner.ApplyAsync(await _provisioner.PlanAsync(Declare(name, 2), Cancellation), Cancellation);
        TopicPlan plan = await _provisioner.PlanAsync(Declare(name, 4), Cancellation);
        plan.Refused.ShouldHaveSingleItem().ShouldContain("has 2 partitions, 4 are declared");
        await Should.ThrowAsync<InvalidInputException>(() => _provisioner.ApplyAsync(plan, Cancellation));
    }

    // A broker tells 0.10 as 0.1, and "compact, delete" as "compact,delete": endless drift, and apply waited 30 s for a text that never
    // came.
    [Theory]
    [InlineData("min.cleanable.dirty.ratio", "0.1", "0.10")]
    [InlineData("cleanup.policy", "compact,delete", "compact, delete")]
    [InlineData("cleanup.policy", "compact,delete", "delete,compact")]
    [InlineData("preallocate", "true", "TRUE")]
    [InlineData("retention.ms", "1000", "+1000")]
    public async Task Config_that_is_told_in_other_words_is_no_drift_and_is_not_waited_for(string config, string told, string declared)
    {
        string name = TestServers.UniqueName("topic");
        await _provisioner.ApplyAsync(await _provisioner.PlanAsync(Declare(name, 1, (config, told)), Cancellation), Cancellation);
        (await _provisioner.PlanAsync(Declare(name, 1, (config, declared)), Cancellation)).IsEmpty.ShouldBeTrue();
    }

    [Theory]
    [InlineData("retention.mss", "1000", "Unknown topic config name: retention.mss")]
    [InlineData("retention.ms", "a week", "Invalid value a week for configuration retention.ms")]
    [InlineData("min.insync.replicas", "0", "Invalid value 0 for configuration min.insync.replicas")]
    public async Task Config_that_the_cluster_refuses_is_named_and_nothing_else_is_changed(string config, string value, string reason)
    {
        (string good, string bad) = (TestServers.UniqueName("topic"), TestServers.UniqueName("topic"));
        await _provisioner.ApplyAsync(await _provisioner.PlanAsync(new([.. Declare(good, 1).Topics, .. Declare(bad, 1).Topics]),
            Cancellation), Cancellation);
        TopicDeclaration declared = new([.. Declare(good, 1, ("retention.ms", "5000")).Topics,
            .. Declare(bad, 1, ("segment.ms", "5000"), (config, value)).Topics]);
        TopicPlan plan = await _provisioner.PlanAsync(declared, Cancellation);
        InvalidInputException refused = await Should.ThrowAsync<InvalidInputException>(_provisioner.ApplyAsync(plan, Cancellation));
        refused.Message.ShouldStartWith($"The topic {bad} cannot have {config}={value}: ");
        refused.Message.ShouldContain(reason);
        (await _provisioner.PlanAsync(declared, Cancellation)).Drifted.ShouldContain(d => d.Topic == good);
    }

    [Fact]
    public async Task Replicas_that_differ_are_told_and_nothing_to_do_is_not()
    {
        using var cluster = new MockCluster(brokers: 3);
        cluster.CreateTopic("bank.account.events", partitions: 2, replicas: 1);
        using var provisioner = new TopicProvisioner(cluster.Connection);
        TopicPlan plan = await provisioner.PlanAsync(
            new([new TopicSpecification { Name = "bank.account.events", Partitions = 2, ReplicationFactor = 3 }]), Cancellation);
        plan.Replicas.ShouldBe([("bank.account.events", 1, 3)]);
        plan.IsEmpty.ShouldBeFalse();
        plan.OnlyMissingTopics().IsEmpty.ShouldBeTrue();
    }

    // Replication was silently 1 on three brokers.
    [Fact]
    public async Task Topics_of_which_nothing_is_said_get_three_replicas_on_three_brokers()
    {
        using var cluster = new MockCluster(brokers: 3);
        using var provisioner = new TopicProvisioner(cluster.Connection);
        TopicPlan plan = await provisioner.PlanMissingAsync(new TopicFamily("bank", "account"), 2, -1, isProcess: false, Cancellation);
        plan.Missing.ShouldAllBe(t => t.ReplicationFactor == 3 && t.Configs["min.insync.replicas"] == "2");
        plan.Missing.Count.ShouldBe(6);
    }

    // Kafka names any broker as the one to ask, for 9 s after its death also a dead one; librdkafka waited a minute for it, and the node
    // ended.
    [Fact]
    public async Task Cluster_whose_controller_is_dead_is_asked_again_by_a_new_client()
    {
        // A client comes by the bootstrap address, and then asks where metadata sends it: there the first one is never answered, however
        // often it connects.
        await using var controller = new TcpProxy(TimeProvider.System, NumberedClients.NameOf);
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions { AdvertisedPort = controller.Port },
            cancellationToken: Cancellation);
        controller.Target = IPEndPoint.Parse(kafka.BootstrapServers);
        controller.Line(NumberedClients.First).Stall();
        using var provisioner = new TopicProvisioner(new KafkaConnection
        {
            BootstrapServers = kafka.BootstrapServers, Settings = new NumberedClients(),
        });
        await provisioner.ApplyAsync(new TopicPlan([new TopicSpecification { Name = "late", Partitions = 1 }], [], []), Cancellation);
        (await provisioner.PlanAsync(Declare("late", 1), Cancellation)).IsEmpty.ShouldBeTrue();
    }

    [Theory]
    [InlineData("topics:\n  - name: a\n    partitions: 1\n    replicationFactor: 0\n", "replicationFactor 0")]
    [InlineData("topics:\n  - name: a\n    partitions: 1\n  - name: a\n    partitions: 1\n", "the topic a is declared twice")]
    [InlineData("topics:\n  - name: a\n    partitions: 1\n    configs:\n      retention.ms:\n", "retention.ms of the topic a has no value")]
    [InlineData("topics:\n  - name: a\n    partitions: none\n", "line 3")]
    [InlineData("topics:\n  - partitions: 2\n", "topic 1 has no name")]
    [InlineData("topics:\n  - name: a\n", "0 partitions")]
    [InlineData("things: []\n", "line 1, column 1: 'things' is not known here; the file may have topics.")]
    [InlineData("topics:\n  - name: a\n    partitons: 2\n",
        "line 3, column 5: 'partitons' is not known here; a topic may have name, partitions, replicationFactor, configs.")]
    [InlineData("topics:\n  - name: a\n    partitions: [1, 2]\n", "line 3, column 17: 'partitions' must be one value")]
    [InlineData("topics:\n  - name: a\n    partitions: 99999999999\n",
        "partitions of the topic a is '99999999999'; it must be a whole number.")]
    [InlineData("topics:\n  - name: a\n    partitions: 1\n    replicationFactor: 70000\n", "replicationFactor 70000")]
    [InlineData("topics:\n  - name: a\n    partitions: 1\n    configs: [x]\n",
        "line 4, column 14: the configs of the topic a must be names with values.")]
    [InlineData("topics:\n  - a\n", "line 2, column 5: a topic must be names with values")]
    [InlineData("topics: a\n", "line 1, column 9: 'topics' must be a list")]
    [InlineData("a\n", "line 1, column 1: the file must be names with values")]
    [InlineData("topics:\n  - name: 'a\n", "line ")]
    [InlineData("", "no list 'topics'")]
    public async Task Declaration_that_is_none_says_where(string yaml, string told)
    {
        string path = Path.Combine(_servers.Folder, TestServers.UniqueName("topics"));
        await File.WriteAllTextAsync(path, yaml, Cancellation);
        string message = Should.Throw<InvalidInputException>(() => TopicDeclaration.Load(path)).Message;
        message.ShouldContain(told);
        // "Property 'partitons' not found on type 'KafkaEventSourcing.EventLog.TopicDeclaration+FileTopic'"
        message.ShouldNotContain(nameof(KafkaEventSourcing));
    }

    /// <summary>Settings that give each client that is made with them a name of its own.</summary>
    private sealed class NumberedClients : IReadOnlyDictionary<string, string>
    {
        private int _clients;

        public static string First => Name(1);

        public int Count => 1;

        public IEnumerable<string> Keys => this.Select(s => s.Key);

        public IEnumerable<string> Values => this.Select(s => s.Value);

        public string this[string key] => this.First(s => s.Key == key).Value;

        // From the header of its first request: length, API, version and number, then its name with its length.
        public static string? NameOf(ReadOnlySpan<byte> first) =>
            first.Length < 14 + First.Length ? null : Encoding.ASCII.GetString(first.Slice(14, First.Length));

        public IEnumerator<KeyValuePair<string, string>> GetEnumerator()
        {
            yield return new("client.id", Name(Interlocked.Increment(ref _clients)));
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        public bool ContainsKey(string key) => Keys.Contains(key);

        public bool TryGetValue(string key, [MaybeNullWhen(false)] out string value) =>
            (value = this.FirstOrDefault(s => s.Key == key).Value) is not null;

        private static string Name(int client) => string.Create(CultureInfo.InvariantCulture, $"client-{client:D3}");
    }

    private static TopicDeclaration Declare(string name, int partitions, params (string Name, string Value)[] configs) =>
        new([new TopicSpecification
        {
            Name = name,
            Partitions = partitions,
            ReplicationFactor = -1,
            Configs = configs.ToDictionary(c => c.Name, c => c.Value),
        }]);
}
