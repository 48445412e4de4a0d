using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Archive.Tests;

/// <summary>The servers of a test class; its tests have topics of their own on them.</summary>
public sealed class ServersFixture : IAsyncLifetime
{
    public TestServers Servers { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Servers = await ServersOrSkip.Start(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (Servers is not null)
            await Servers.DisposeAsync();
    }
}
