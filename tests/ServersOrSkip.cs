using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing;

/// <summary>
/// The servers of a test class. Where the environment asks for containers and there is no Docker, its tests are skipped, with the reason.
/// </summary>
internal static class ServersOrSkip
{
    public static async Task<TestServers> Start(CancellationToken cancellationToken)
    {
        try
        {
            return await TestServers.StartAsync(cancellationToken);
        }
        catch (TestServersUnavailableException unavailable)
        {
            Assert.Skip(unavailable.Message);
            throw; // Skip does not return
        }
    }
}
