using KafkaEventSourcing.Embedded.Kafka;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>After how long a silent node is taken for dead.</summary>
public sealed class SessionTimeoutTests(BankFixture bank)
{
    private static readonly TimeSpan SessionTimeout = TimeSpan.FromSeconds(7);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // That of the read models was librdkafka's, whatever the option said: they stood still for 45 s after a node was killed. This broker
    // takes no member that asks for longer than the option says.
    [Fact]
    public async Task Session_timeout_of_a_node_is_that_of_all_its_groups()
    {
        string folder = Path.Combine(bank.Servers.Folder, TestServers.UniqueName("session"));
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(
            new EmbeddedKafkaOptions { DataDirectory = Path.Combine(folder, "kafka"), GroupMaxSessionTimeout = SessionTimeout },
            NullLoggerFactory.Instance, cancellationToken: Cancellation);
        var options = new KafkaEventSourcingOptions
        {
            DataDirectory = Path.Combine(folder, "node"), Partitions = 1, SessionTimeout = SessionTimeout,
        };
        await using EventSourcedNode node = await EventSourcedNode.StartAsync(BankFixture.NewBank(),
            bank.Servers.Addresses with { Kafka = kafka.BootstrapServers }, options, NullLoggerFactory.Instance, TimeProvider.System,
            Cancellation);
        (await node.SendAsync(Movement.Open("a"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        await (await Task.WhenAny(node.Completion, node.WaitForReadModelsAsync(Cancellation)));
        node.Completion.IsCompleted.ShouldBeFalse();
        node.Checks.Single(c => c.Name == "read-models").Look().Status.ShouldBe(Hosting.Health.CheckStatus.Ok);
    }
}
