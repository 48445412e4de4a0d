using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace KafkaEventSourcing.Hosting.Hosts;

/// <summary>
/// Runs the node in a host of the user's. It starts in the background; a fault stops the host, which then ends with it. Asked to end, the node is not ready first, while the server still takes requests; it hands its
/// partitions over when the server has closed.
/// </summary>
internal sealed class NodeHost(
    KafkaEventSourcingBuilder builder, NodeLifecycle lifecycle, IOptions<KafkaEventSourcingOptions> options, ILoggerFactory loggerFactory, TimeProvider timeProvider, IHostApplicationLifetime host, IServiceProvider services)
    : IHostedLifecycleService, INodeAccessor, IDisposable
{
    private readonly ILogger _logger = loggerFactory.CreateLogger("KafkaEventSourcing.Hosting");
    private readonly TaskCompletionSource<EventSourcedNode> _serves = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;

    /// <inheritdoc/>
    public EventSourcedNode? Current => _serves.Task.IsCompletedSuccessfully ? _serves.Task.Result : null;

    /// <summary>Whether the paths for other nodes are mapped, so that they may be told where this one is.</summary>
    public bool IsReachable { get; set; }

    /// <inheritdoc/>
    public Task<EventSourcedNode> WaitForNode(CancellationToken cancellationToken) => _serves.Task.WaitAsync(cancellationToken);

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _running = Task.Run(Run, CancellationToken.None);
        if (options.Value.WaitForStart)
            await _serves.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        lifecycle.Drain();
        TimeSpan drain = options.Value.Drain;
        if (Current is not { Completion.IsCompleted: false } node || drain == TimeSpan.Zero)
            return;
        _logger.Drains(drain.TotalSeconds);
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(Task.Delay(drain, timeProvider, done.Token), node.Completion).ConfigureAwait(false);
        await done.CancelAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.WaitAsync(cancellationToken).ConfigureAwait(false); // throws what has stopped the node
    }

    /// <inheritdoc/>
    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public void Dispose() => _stop.Dispose();

    private async Task Run()
    {
        try
        {
            await Serve(_stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            _serves.TrySetCanceled(_stop.Token);
        }
        catch (Exception fault)
        {
            _logger.Stopped(fault);
            _serves.TrySetException(fault);
            await Started(_stop.Token).ConfigureAwait(false); // a host that is stopped while it starts tells that alone
            host.StopApplication();
            throw;
        }
    }

    private async Task Serve(CancellationToken cancellationToken)
    {
        KafkaEventSourcingOptions values = options.Value;
        NodeOptions nodeOptions = values.NodeOptionsOf(builder.Name);
        lifecycle.Enter(() => "starting the servers that no option names");
        await using IServers servers = values.Addresses.AreComplete || builder.Embedded is null
            ? new ExternalServers(values.Addresses)
            : await builder.Embedded.Start(values.Addresses, nodeOptions.DataDirectory, options: null, loggerFactory, cancellationToken).ConfigureAwait(false);
        await using EventSourcedNode node = await EventSourcedNode.Start(
            lifecycle.Application, servers.Addresses, nodeOptions, loggerFactory, timeProvider, lifecycle.Enter, cancellationToken).ConfigureAwait(false);
        lifecycle.Serve(node, servers.Checks);
        _serves.TrySetResult(node);
        if (IsReachable)
            await Advertise(node, values.Advertise, cancellationToken).ConfigureAwait(false);
        await node.Completion.WaitAsync(cancellationToken).ConfigureAwait(false);
        throw new InvalidOperationException("A part of the node ended, and nobody had asked it to.");
    }

    // Ends when the host has started, or need not be waited for any more.
    private async Task Started(CancellationToken cancellationToken)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using CancellationTokenRegistration listening = host.ApplicationStarted.Register(() => started.TrySetResult());
        await Task.WhenAny(started.Task, Task.Delay(Timeout.InfiniteTimeSpan, timeProvider, cancellationToken)).ConfigureAwait(false);
    }

    // Which addresses the server has is known when the whole host has started.
    private async Task Advertise(EventSourcedNode node, Uri? named, CancellationToken cancellationToken)
    {
        await Task.WhenAny(Started(cancellationToken), node.Completion).WaitAsync(cancellationToken).ConfigureAwait(false);
        string? bound = services.GetService<IServer>()?.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault();
        if ((named ?? Reachable(bound)) is { } address)
            node.Advertise(address);
    }

    // Nobody can be reached at "any address": the machine's name is put in its place.
    private static Uri? Reachable(string? bound)
    {
        if (bound is null || !Uri.TryCreate(bound.Replace("://*", "://[::]", StringComparison.Ordinal).Replace("://+", "://[::]", StringComparison.Ordinal), UriKind.Absolute, out Uri? uri))
            return null;
        return IPAddress.TryParse(uri.Host.Trim('[', ']'), out IPAddress? address) && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
            ? new UriBuilder(uri) { Host = Dns.GetHostName() }.Uri
            : uri;
    }
}
