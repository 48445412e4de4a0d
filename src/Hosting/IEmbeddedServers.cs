using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting;

/// <summary>Starts servers in this process for those that no address names.</summary>
public interface IEmbeddedServers
{
    /// <summary>What can be set, such as the ports. Commands that start a node have an option for each.</summary>
    IReadOnlyList<EmbeddedServerSetting> Settings { get; }

    /// <summary>Starts what the addresses of <paramref name="request"/> leave open.</summary>
    /// <param name="request">What is needed, and where its data is.</param>
    /// <param name="loggerFactory">Where the servers log.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    Task<IServers> StartAsync(ServersRequest request, ILoggerFactory loggerFactory, CancellationToken cancellationToken = default);
}
