using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Processing.Tests;

/// <summary>Whether librdkafka's assignor gives partitions to whom <see cref="StandbyPlacement"/> believes.</summary>
public sealed class SuccessorTests(ProcessingFixture fixture) : IClassFixture<ProcessingFixture>
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan AdminTimeout = TimeSpan.FromSeconds(10);

    private readonly string _name = TestServers.UniqueName("successors");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(2, 5)]
    [InlineData(3, 6)]
    [InlineData(4, 9)]
    [InlineData(5, 16)]
    [InlineData(4, 1)]
    public async Task Partitions_of_a_member_that_leaves_go_to_those_who_keep_the_first_copies(int size, int partitions)
    {
        using IAdminClient admin = new AdminClientBuilder(fixture.Kafka.Admin()).Build();
        using (var provisioner = new TopicProvisioner(fixture.Kafka))
            await provisioner.ApplyAsync(new TopicPlan(
                [new TopicSpecification { Name = _name, Partitions = partitions, ReplicationFactor = 1 }], [], []), Cancellation);
        var running = new Dictionary<string, Member>();
        try
        {
            for (int i = 0; i < size; i++)
                running.Add($"n{i}", new Member(fixture.Kafka, _name, $"n{i}"));
            while (running.Count > 1)
            {
                List<GroupMember> before = await Settled(admin, running.Count, partitions);
                GroupMember leaving = before.MaxBy(m => m.Owned.Count)!;
                await running[leaving.Node].DisposeAsync();
                running.Remove(leaving.Node);
                List<GroupMember> after = await Settled(admin, running.Count, partitions);
                foreach (GroupMember member in after)
                {
                    IEnumerable<int> got = member.Owned.Intersect(leaving.Owned).Order();
                    StandbyPlacement.PartitionsOf(member.Node, before, partitions, 1).Intersect(leaving.Owned).ShouldBe(got,
                        $"{member.Node} after {leaving.Node} has left, of {running.Count + 1}");
                }
            }
        }
        finally
        {
            foreach (Member member in running.Values)
                await member.DisposeAsync();
        }
    }

    // The members of a group that is stable and owns everything; nothing tells outside when it has come so far, a look now and then does.
    private async Task<List<GroupMember>> Settled(IAdminClient admin, int size, int partitions)
    {
        using var timer = new PeriodicTimer(Look, TimeProvider.System);
        while (true)
        {
            GroupInfo? group = await Task.Run(() => Group(admin), Cancellation);
            List<GroupMember> members = [.. (group?.Members
                ?? []).Select(m => new GroupMember(m.MemberId, m.ClientId, GroupAssignment.PartitionsOf(_name, m.MemberAssignment)))];
            if (group is { State: "Stable" } && members.Count == size && members.Sum(m => m.Owned.Count) == partitions)
                return members;
            await timer.WaitForNextTickAsync(Cancellation);
        }
    }

    // Null: nobody knows it yet. A new cluster makes the topic of its groups when the first one comes, and loads it.
    private GroupInfo? Group(IAdminClient admin)
    {
        try
        {
            return admin.ListGroup(_name, AdminTimeout);
        }
        catch (KafkaException loading) when (loading.Error.Code is ErrorCode.GroupLoadInProgress or ErrorCode.GroupCoordinatorNotAvailable
            or ErrorCode.NotCoordinatorForGroup)
        {
            return null;
        }
    }

    private sealed class Member : IAsyncDisposable
    {
        private readonly CancellationTokenSource _leave = new();
        private readonly Task _polling;

        public Member(KafkaConnection kafka, string name, string node)
        {
            ConsumerConfig config = kafka.Consumer(name);
            config.PartitionAssignmentStrategy = PartitionAssignmentStrategy.CooperativeSticky;
            config.ClientId = node;
            config.HeartbeatIntervalMs = 100;
            _polling = Task.Factory.StartNew(
                () =>
                {
                    using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(config).SetLogHandler((_, _) => { })
                        .SetErrorHandler((_, _) => { }).Build();
                    consumer.Subscribe(name);
                    while (!_leave.IsCancellationRequested)
                        consumer.Consume(Look);
                    consumer.Close();
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default);
        }

        public async ValueTask DisposeAsync()
        {
            await _leave.CancelAsync();
            await _polling;
            _leave.Dispose();
        }
    }
}
