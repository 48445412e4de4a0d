using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EventLog.Tests;

public sealed class TopicProvisionerTests : IAsyncLifetime
{
    private TestServers _servers = null!;
    private TopicProvisioner _provisioner = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _servers = await ServersOrSkip.Start(Cancellation);

        _provisioner = new TopicProvisioner(_servers.Addresses.KafkaConnection);
    }

    public async ValueTask DisposeAsync()
    {
        _provisioner.Dispose();
        await _servers.DisposeAsync();
    }

    [Fact]
    public async Task Apply_creates_what_is_missing_and_a_second_plan_is_empty()
    {
        TopicDeclaration declaration = TopicDeclaration.For(new TopicFamily(TestServers.UniqueName("app"), "thing"), 3, -1);
        TopicPlan plan = await _provisioner.Plan(declaration, Cancellation);
        plan.Missing.Count.ShouldBe(6);
        await _provisioner.Apply(plan, Cancellation);
        (await _provisioner.Plan(declaration, Cancellation)).IsEmpty.ShouldBeTrue();
    }

    [Fact]
    public async Task Drifted_config_is_set_again()
    {
        string name = TestServers.UniqueName("topic");
        TopicDeclaration before = Declare(name, 1, ("retention.ms", "1000"));
        await _provisioner.Apply(await _provisioner.Plan(before, Cancellation), Cancellation);
        TopicPlan plan = await _provisioner.Plan(Declare(name, 1, ("retention.ms", "2000")), Cancellation);
        plan.Drifted.ShouldBe([(name, "retention.ms", "1000", "2000")]);
        await _provisioner.Apply(plan, Cancellation);
        (await _provisioner.Plan(Declare(name, 1, ("retention.ms", "2000")), Cancellation)).IsEmpty.ShouldBeTrue();
    }

    [Fact]
    public async Task Other_partition_count_is_refused_because_keys_would_move()
    {
        string name = TestServers.UniqueName("topic");
        await _provisioner.Apply(await _provisioner.Plan(Declare(name, 2), Cancellation), Cancellation);
        TopicPlan plan = await _provisioner.Plan(Declare(name, 4), Cancellation);
        plan.Refused.ShouldHaveSingleItem().ShouldContain("has 2 partitions, 4 are declared");
        await Should.ThrowAsync<InvalidInputException>(() => _provisioner.Apply(plan, Cancellation));
    }

    [Theory]
    [InlineData("topics:\n  - name: a\n    partitions: none\n", "line 3")]
    [InlineData("topics:\n  - partitions: 2\n", "topic 1 has no name")]
    [InlineData("topics:\n  - name: a\n", "0 partitions")]
    [InlineData("things: []\n", "line 1")]
    [InlineData("", "no list 'topics'")]
    public async Task Declaration_that_is_none_says_where(string yaml, string told)
    {
        string path = Path.Combine(_servers.Folder, "topics.yaml");
        await File.WriteAllTextAsync(path, yaml, Cancellation);
        Should.Throw<InvalidInputException>(() => TopicDeclaration.Load(path)).Message.ShouldContain(told);
    }

    private static TopicDeclaration Declare(string name, int partitions, params (string Name, string Value)[] configs) =>
        new([new TopicSpecification { Name = name, Partitions = partitions, ReplicationFactor = -1, Configs = configs.ToDictionary(c => c.Name, c => c.Value) }]);
}
