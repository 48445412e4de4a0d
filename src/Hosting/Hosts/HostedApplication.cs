using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Options;

namespace KafkaEventSourcing.Hosting.Hosts;

/// <summary>The application of this host's node, for what runs beside it. Thread-safe.</summary>
internal sealed class HostedApplication(KafkaEventSourcingBuilder builder, INodeAccessor node, IOptions<KafkaEventSourcingOptions> options)
    : IApplicationHost
{
    /// <inheritdoc/>
    public string Application => builder.Name;

    /// <inheritdoc/>
    public IReadOnlyCollection<string> ConsumerGroups =>
        [.. builder.Definition.Aggregates.SelectMany(a => new TopicFamily(builder.Name, a.Name).Groups)];

    /// <inheritdoc/>
    public async Task<ApplicationServers> WaitForServersAsync(CancellationToken cancellationToken)
    {
        EventSourcedNode serving = await node.WaitForNodeAsync(cancellationToken).ConfigureAwait(false);
        return new ApplicationServers
        {
            Kafka = serving.Addresses.KafkaConnection,
            Registry = serving.Addresses.RegistryConfig(),
            DataDirectory = options.Value.DataDirectoryOf(builder.Name),
        };
    }
}
