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
        NodePlan plan = Plan(result, dataDirectory);
        ILoggerFactory loggers = Options.CreateLog(result);
        try
        {
            return await Start(plan, loggers, static _ => { }, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            loggers.Dispose();
            throw;
        }
    }

    /// <summary>What <paramref name="result"/> asks for, checked: nothing has been started, asked or written.</summary>
    /// <exception cref="InvalidInputException">An option is unusable.</exception>
    internal NodePlan Plan(ParseResult result, string dataDirectory)
    {
        ServerAddresses addresses = Options.AddressesOf(result);
        if (_embedded is null)
            _ = new ExternalServers(addresses);
        addresses.Validate();
        if (result.GetValue(Options.Data) is { } named && string.IsNullOrWhiteSpace(named))
            throw new InvalidInputException("--data", "--data is empty; it must be the name of a folder, which is created when it is missing.");
        string data = Path.GetFullPath(result.GetValue(Options.Data) ?? dataDirectory);
        var options = new NodeOptions
        {
            DataDirectory = data,
            Partitions = result.GetValue(Options.Partitions),
            ReplicationFactor = result.GetValue(Options.ReplicationFactor),
            AcceptDataLoss = result.GetValue(Options.AcceptDataLoss),
            Standbys = result.GetValue(Options.Standbys),
            NodeId = result.GetValue(Options.NodeId),
            NodeSecret = result.GetValue(Options.NodeSecret) is { } secret ? NodeSecret.Parse(secret) : null,
            SessionTimeout = Options.SessionTimeoutOf(result),
            IgnoreUnknownEvents = result.GetValue(Options.IgnoreUnknownEvents),
        };
        options.Validate();
        FileDescriptors.Check(FileDescriptors.Needed(Application.Aggregates.Count, options.Partitions));
        return new NodePlan(addresses, options, result);
    }

    // entering: is told what the start waits for.
    internal async Task<RunningNode> Start(NodePlan plan, ILoggerFactory loggers, Action<Func<string>> entering, CancellationToken cancellationToken)
    {
        IServers? servers = null;
        try
        {
            entering(() => "starting the servers that no option names");
            servers = plan.Addresses.AreComplete || _embedded is null
                ? new ExternalServers(plan.Addresses)
                : await _embedded.Start(plan.Addresses, plan.Options.DataDirectory, plan.Result, loggers, cancellationToken).ConfigureAwait(false);
            EventSourcedNode node = await EventSourcedNode.Start(Application, servers.Addresses, plan.Options, loggers, Time, entering, cancellationToken).ConfigureAwait(false);
            return new RunningNode(node, servers, loggers);
        }
        catch
        {
            if (servers is not null)
                await servers.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }
}

/// <summary>What a command line asks for, checked.</summary>
internal sealed record NodePlan(ServerAddresses Addresses, NodeOptions Options, ParseResult Result);
