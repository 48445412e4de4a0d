using System.CommandLine;
using System.Net.Sockets;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.Hosts;
using KafkaEventSourcing.Hosting.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>
/// The host of <c>run</c>: a web application with the node in it, as
/// <see cref="KafkaEventSourcingServiceExtensions.AddKafkaEventSourcing(IServiceCollection, string)"/> adds one to any host. What it adds
/// is what a program of the command line has: signals, lines for who reads them, and failures as its exit codes mean them. For one run.
/// </summary>
internal sealed class NodeService(NodeStarter starter, ParseResult commandLine, HttpOptions listening,
    Action<KafkaEventSourcingOptions> configure, ILoggerFactory loggers)
{
    private static readonly TimeSpan LongestEnd = TimeSpan.FromMinutes(1); // of the server and of the node, behind the drain time

    /// <summary>Returns when the node has ended because it was asked to.</summary>
    /// <exception cref="CommandFailedException">It cannot listen, or a part of it has stopped.</exception>
    public async Task Run(CancellationToken cancellationToken)
    {
        var options = new KafkaEventSourcingOptions();
        configure(options);
        await using WebApplication web = HttpInterface.Create(listening.With(options), loggers, starter.Time, services =>
        {
            services.AddKafkaEventSourcing(starter.Application, starter.Embedded, starter.EmbeddedOptions.ValuesOf(commandLine), configure);
            services.Configure<HostOptions>(host => host.ShutdownTimeout = options.Drain + LongestEnd);
        });
        NodeHost node = web.Services.GetRequiredService<NodeHost>();
        node.ReachableAt = () => ListeningAddress.Of(web.Services);
        // a person, whom no balancer sends requests
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, _ => node.SkipDrain());
        int asked = 0;
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ =>
        {
            if (Interlocked.Increment(ref asked) > 1)
                node.SkipDrain();
        });
        try
        {
            await Listen(web, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return; // asked to end before it listened
        }

        Console.WriteLine($"{starter.Application.Name} listens at {web.Urls.First()} and starts; {web.Urls.First()}/health/ready says "
            + $"when it is ready.");
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, web.Lifetime.ApplicationStopping);
        Task stopping = Task.Delay(Timeout.InfiniteTimeSpan, starter.Time, ending.Token);
        if (await Task.WhenAny(node.Introduced, stopping).ConfigureAwait(false) != stopping && node.Introduced.IsCompletedSuccessfully)
            Greet(await node.Introduced.ConfigureAwait(false), web.Urls.First());
        await Task.WhenAny(stopping).ConfigureAwait(false);
        await Stop(web, node).ConfigureAwait(false);
    }

    private static void Greet(EventSourcedNode node, string url)
    {
        ServerAddresses servers = node.Addresses;
        Console.WriteLine($"{node.Application.Name} serves at {url} (try it: {url}/docs)");
        Console.WriteLine(Secrets.Redact($"Kafka {servers.Kafka}, Schema "
            + $"Registry {servers.Registry}{(node.Application.NeedsMongoDB ? $", MongoDB {servers.MongoDB}" : "")}"));
        Console.WriteLine(KafkaLibrary.Description);
        Console.WriteLine("Ctrl-C ends it.");
    }

    private static async Task Stop(WebApplication web, NodeHost node)
    {
        try
        {
            await web.StopAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception) when (node.Fault is not null)
        {
            // What has stopped the node comes out of the host as well; it is told below.
        }

        if (node.Fault is not { } fault)
            return;
        if (node.Current is null)
            ExceptionDispatchInfo.Throw(fault); // it has not served: the start's failure
        throw new CommandFailedException($"The node has stopped: {fault.Message}", fault);
    }

    private async Task Listen(WebApplication web, CancellationToken cancellationToken)
    {
        try
        {
            await web.StartAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (IOException inUse) when (inUse.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            throw new CommandFailedException(
                $"Port {listening.Port} of {listening.Host} is in use: give another --http-port, or 0 for a free one.", inUse);
        }
        catch (SocketException refused)
        {
            throw new CommandFailedException(
                $"Nothing can listen at port {listening.Port} of {listening.Host}: {refused.Message}. --http-host must be an address of "
                    + $"this machine, and ports below 1024 may need rights of their own.", refused);
        }
    }
}
