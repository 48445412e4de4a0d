using System.CommandLine;
using KafkaEventSourcing.Hosting.CommandLine;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting;

/// <summary>Starts nodes for commands of the command line, from the options that they share.</summary>
public sealed class NodeStarter
{
    private readonly IEmbeddedServers? _embedded;

    internal NodeStarter(ApplicationDefinition application, IEmbeddedServers? embedded) => (Application, _embedded) = (application, embedded);

    /// <summary>The application.</summary>
    public ApplicationDefinition Application { get; }

    /// <summary>The shared options.</summary>
    public ServerOptions Options { get; } = new();

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; } = ShiftedClock.OfEnvironment();

    /// <summary>Adds the shared options to <paramref name="command"/>, and those of embedded servers.</summary>
    public void AddOptions(Command command)
    {
        foreach (Option option in Options.All.Concat(_embedded?.Options ?? []))
            command.Options.Add(option);
    }

    /// <summary>Starts servers where none are named, and a node on them, as <paramref name="result"/> says.</summary>
    /// <param name="result">The parsed command line, of a command that has the shared options.</param>
    /// <param name="dataDirectory">Where the data is when <c>--data</c> does not say it.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <exception cref="InvalidInputException">An option is unusable.</exception>
    public async Task<RunningNode> Start(ParseResult result, string dataDirectory, CancellationToken cancellationToken)
    {
        ILoggerFactory loggers = ConsoleLog.Create(result.GetValue(Options.Verbose));
        IServers? servers = null;
        try
        {
            ServerAddresses addresses = Options.AddressesOf(result);
            string data = Path.GetFullPath(result.GetValue(Options.Data) ?? dataDirectory);
            servers = addresses.AreComplete || _embedded is null
                ? new ExternalServers(addresses)
                : await _embedded.Start(addresses, data, result, loggers, cancellationToken).ConfigureAwait(false);
            var options = new NodeOptions
            {
                DataDirectory = data,
                Partitions = result.GetValue(Options.Partitions),
                Standbys = result.GetValue(Options.Standbys),
                NodeId = result.GetValue(Options.NodeId),
                NodeSecret = result.GetValue(Options.NodeSecret) is { } secret ? NodeSecret.Parse(secret) : null,
                SessionTimeout = TimeSpan.FromSeconds(result.GetValue(Options.SessionTimeout)),
            };
            EventSourcedNode node = await EventSourcedNode.Start(Application, servers.Addresses, options, loggers, Time, cancellationToken).ConfigureAwait(false);
            return new RunningNode(node, servers, loggers);
        }
        catch
        {
            if (servers is not null)
                await servers.DisposeAsync().ConfigureAwait(false);
            loggers.Dispose();
            throw;
        }
    }
}
