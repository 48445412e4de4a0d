using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>
/// A node as a service: it listens first, so that it can be asked how it is while it starts; then it starts; and when it is asked to end it says that it is not ready, waits until load balancers have noticed, answers what it has,
/// closes the listener, and hands its partitions over. For one run.
/// </summary>
internal sealed class NodeService(NodeStarter starter, NodePlan plan, HttpOptions http, Uri? advertised, TimeSpan drain, ILoggerFactory loggers)
{
    // A start that waits for a server, or a hand-over to a Kafka that stands still, must not outlast the patience of a service manager. Nothing is lost: it is as if the process had been killed then.
    private static readonly TimeSpan LongestUnwind = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestHandOver = TimeSpan.FromSeconds(20);

    private readonly NodeLifecycle _lifecycle = new(starter.Application);
    private readonly ILogger _logger = loggers.CreateLogger("KafkaEventSourcing.Hosting");

    /// <summary>Returns when the node has ended because it was asked to.</summary>
    /// <exception cref="CommandFailedException">It cannot listen, or a part of it has stopped.</exception>
    public async Task Run(CancellationToken cancellationToken)
    {
        await using WebApplication web = HttpInterface.Create(_lifecycle, http, loggers, starter.Time);
        await Listen(web, cancellationToken).ConfigureAwait(false);
        Console.WriteLine($"{starter.Application.Name} listens at {web.Urls.First()} and starts; {web.Urls.First()}/health/ready says when it is ready.");
        using var hurry = new CancellationTokenSource();
        int asked = 0;
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, _ => hurry.Cancel()); // a person, whom no balancer sends requests
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ =>
        {
            if (Interlocked.Increment(ref asked) > 1)
                hurry.Cancel();
        });
        Task stopping = Task.Delay(Timeout.InfiniteTimeSpan, starter.Time, cancellationToken);
        Task<RunningNode> starting = Task.Run(() => starter.Start(plan, loggers, _lifecycle.Enter, cancellationToken), CancellationToken.None);
        if (await Task.WhenAny(starting, stopping).ConfigureAwait(false) == stopping)
        {
            await GiveUp(starting, web).ConfigureAwait(false);
            return;
        }

        RunningNode running;
        try
        {
            running = await starting.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return; // asked to end while it still started: to serve until then was all its task
        }

        await Serve(running, web, stopping, hurry.Token).ConfigureAwait(false);
    }

    private async Task Serve(RunningNode running, WebApplication web, Task stopping, CancellationToken hurry)
    {
        EventSourcedNode node = running.Node;
        _lifecycle.Serve(node, running.ServerChecks);
        node.Advertise(advertised ?? Reachable(new Uri(web.Urls.First())));
        ServerAddresses servers = node.Addresses;
        Console.WriteLine($"{node.Application.Name} serves at {web.Urls.First()} (try it: {web.Urls.First()}/docs)");
        Console.WriteLine(Secrets.Redact($"Kafka {servers.Kafka}, Schema Registry {servers.Registry}, MongoDB {servers.MongoDB}"));
        Console.WriteLine(KafkaLibrary.Description);
        Console.WriteLine("Ctrl-C ends it.");
        Task first = await Task.WhenAny(stopping, node.Completion).ConfigureAwait(false);
        _lifecycle.Drain();
        if (first == stopping && drain > TimeSpan.Zero && !hurry.IsCancellationRequested)
        {
            _logger.Drains(drain.TotalSeconds);
            await Task.WhenAny(Task.Delay(drain, starter.Time, hurry), node.Completion).ConfigureAwait(false);
        }

        await web.StopAsync(CancellationToken.None).ConfigureAwait(false);
        AggregateException? fault = node.Completion.Exception;
        if (!await Ends(running.DisposeAsync().AsTask(), LongestHandOver).ConfigureAwait(false))
            _logger.NotHandedOver(LongestHandOver.TotalSeconds);
        if (first == stopping)
            return;
        _logger.Stopped(fault);
        throw new CommandFailedException($"The node has stopped: {fault?.Flatten().InnerExceptions[0].Message ?? "a part of it ended"}", fault!);
    }

    private async Task GiveUp(Task<RunningNode> starting, WebApplication web)
    {
        _lifecycle.Drain();
        await web.StopAsync(CancellationToken.None).ConfigureAwait(false);
        await Ends(Unwind(starting), LongestUnwind).ConfigureAwait(false);
    }

    private static async Task Unwind(Task<RunningNode> starting)
    {
        await ((Task)starting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (starting.IsCompletedSuccessfully)
            await (await starting.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
    }

    private async Task<bool> Ends(Task ending, TimeSpan patience)
    {
        using var done = new CancellationTokenSource();
        bool inTime = await Task.WhenAny(ending, Task.Delay(patience, starter.Time, done.Token)).ConfigureAwait(false) == ending;
        await done.CancelAsync().ConfigureAwait(false);
        if (inTime)
            await ending.ConfigureAwait(false);
        return inTime;
    }

    private async Task Listen(WebApplication web, CancellationToken cancellationToken)
    {
        try
        {
            await web.StartAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (IOException inUse) when (inUse.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            throw new CommandFailedException($"Port {http.Port} of {http.Host} is in use: give another --http-port, or 0 for a free one.", inUse);
        }
        catch (SocketException refused)
        {
            throw new CommandFailedException($"Nothing can listen at port {http.Port} of {http.Host}: {refused.Message}. --http-host must be an address of this machine, and ports below 1024 may need rights of their own.", refused);
        }
    }

    // Nobody can be reached at "any address": the machine's name stands for it then.
    private static Uri Reachable(Uri bound) =>
        IPAddress.TryParse(bound.Host.Trim('[', ']'), out IPAddress? address) && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
            ? new UriBuilder(bound) { Host = Dns.GetHostName() }.Uri
            : bound;
}
