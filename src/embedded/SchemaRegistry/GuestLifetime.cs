using Microsoft.Extensions.Hosting;

namespace KafkaEventSourcing.Embedded.SchemaRegistry;

/// <summary>
/// The lifetime of the registry's web host: it starts and stops with the registry. The one that hosts have by themselves ends at Ctrl-C,
/// which is the application's to handle.
/// </summary>
internal sealed class GuestLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
