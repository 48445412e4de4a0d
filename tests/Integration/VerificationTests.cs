using KafkaEventSourcing.Hosting.Verification;

namespace KafkaEventSourcing.Integration.Tests;

public sealed class VerificationTests(BankFixture bank) : IAsyncDisposable
{
    private static readonly TimeSpan Impatience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private readonly BankNodes _nodes = new(bank.Servers, partitions: 4, sessionTimeout: TimeSpan.FromSeconds(6));

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _nodes.DisposeAsync();

    // It waited for ever for the read models of partitions that other nodes project, and would have missed their state stores.
    [Fact]
    public async Task Node_that_is_not_alone_is_told_who_else_runs_and_can_verify_once_they_have_ended()
    {
        BankNode here = await _nodes.Start("here", isStatic: false, Cancellation);
        BankNode other = await _nodes.Start("other", isStatic: true, Cancellation);
        var verifier = new Verifier(here.Node, here.Node.Aggregates[0]);
        (await Should.ThrowAsync<TimeoutException>(() =>
            verifier.WaitForAllPartitionsAsync(Impatience, TimeProvider.System, Cancellation))).Message.ShouldContain(
                "others are on other. Verifying compares all state stores");

        await _nodes.Stop(other);
        await verifier.WaitForAllPartitionsAsync(Patience, TimeProvider.System, Cancellation);
        (await verifier.RunAsync(Cancellation)).IsConsistent.ShouldBeTrue();
    }

    // The read models of a partition are written by one node, and read at all of them.
    [Fact]
    public async Task Every_node_waits_for_read_models_that_another_one_writes()
    {
        BankNode one = await _nodes.Start("one", isStatic: false, Cancellation);
        BankNode two = await _nodes.Start("two", isStatic: false, Cancellation);
        for (int account = 0; account < 8; account++)
        {
            var opened = (await one.Node.Aggregates[0].Commands
                .SendAsync(Movement.Open($"v{account}"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
            foreach (BankNode node in (BankNode[])[one, two])
                await node.Node.Aggregates[0].Projections!.WaitForAsync(opened.Token, Cancellation);
        }
    }
}
