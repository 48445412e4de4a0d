using System.CommandLine;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting;

/// <summary>Starts servers in this process for those that no address names.</summary>
public interface IEmbeddedServers
{
    /// <summary>The options that it adds to commands which start a node, such as the ports.</summary>
    IReadOnlyList<Option> Options { get; }

    /// <summary>Starts what <paramref name="addresses"/> leaves open, and keeps its data in <paramref name="dataDirectory"/>.</summary>
    /// <param name="addresses">What was named.</param>
    /// <param name="mongoDB">Whether MongoDB is needed; else none is started.</param>
    /// <param name="dataDirectory">The folder; created when it is missing.</param>
    /// <param name="options">The values of <see cref="Options"/>; null: free ports.</param>
    /// <param name="loggerFactory">Where the servers log.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    Task<IServers> StartAsync(ServerAddresses addresses, bool mongoDB, string dataDirectory, ParseResult? options, ILoggerFactory loggerFactory, CancellationToken cancellationToken = default);
}
