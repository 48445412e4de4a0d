using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace KafkaEventSourcing.Hosting.Hosts;

/// <summary>
/// Runs the node in a host: one of the user's, or that of the command line. It starts in the background once the host's other services run,
/// so that whoever asks meanwhile is answered; a fault stops the host, which then ends with it. Asked to end, the node is not ready first,
/// while the server still takes requests; it hands its partitions over when the server has closed. For one run.
/// </summary>
internal sealed class NodeHost(
    KafkaEventSourcingBuilder builder, NodeLifecycle lifecycle, IOptions<KafkaEventSourcingOptions> options, ILoggerFactory loggerFactory,
    IServiceProvider services, TimeProvider timeProvider, IHostApplicationLifetime host)
    : IHostedLifecycleService, INodeAccessor, IDisposable, IAsyncDisposable
{
    // A start that waits for a server, or a hand-over to a Kafka that stands still, must not outlast the patience of a service manager.
    // Nothing is lost: it is as if the process had been killed then.
    private static readonly TimeSpan LongestUnwind = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestHandOver = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(5);

    private readonly ILogger _logger = loggerFactory.CreateLogger("KafkaEventSourcing.Hosting");
    private readonly TaskCompletionSource<EventSourcedNode> _serves = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<EventSourcedNode> _introduced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _hurry = new();
    private Task _running = Task.CompletedTask;
    private int _warns;
    private volatile bool _begun;
    private volatile bool _asked;

    /// <inheritdoc/>
    public EventSourcedNode? Current => _serves.Task.IsCompletedSuccessfully ? _serves.Task.Result : null;

    /// <summary>
    /// Where other nodes reach this one, asked when the host has started; null, the default: they do not, as there are no paths for them.
    /// </summary>
    public Func<Uri?>? ReachableAt { get; set; }

    /// <summary>Whether its HTTP interface is mapped onto the host's web application.</summary>
    public bool IsMapped { get; set; }

    /// <summary>
    /// Completes with the node when it serves and the others have been told where it is; it fails or is cancelled where that does not come.
    /// </summary>
    public Task<EventSourcedNode> Introduced => _introduced.Task;

    /// <summary>What has stopped the node; null: nothing, or it was asked to end.</summary>
    public Exception? Fault { get; private set; }

    /// <inheritdoc/>
    public Task<EventSourcedNode> WaitForNodeAsync(CancellationToken cancellationToken)
    {
        if (!_begun && !_serves.Task.IsCompleted && Interlocked.Exchange(ref _warns, 1) == 0)
            _ = WarnWhenNotBegun();
        return _serves.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Whoever asks the node to end does not want it to wait for load balancers.</summary>
    public void SkipDrain() => _hurry.Cancel();

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_asked)
            throw new InvalidOperationException("The node of a host is for one run, and has ended: build another host to start one again.");
        if (!options.Value.WaitForStart)
            return;
        Begin();
        await _serves.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        if (!options.Value.WaitForStart)
            Begin();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        _asked = true;
        lifecycle.Drain();
        TimeSpan drain = options.Value.Drain;
        if (Current is not { Completion.IsCompleted: false } node || drain == TimeSpan.Zero || _hurry.IsCancellationRequested)
            return;
        _logger.Drains(drain.TotalSeconds);
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _hurry.Token);
        await Task.WhenAny(Task.Delay(drain, timeProvider, done.Token), node.Completion).ConfigureAwait(false);
        await done.CancelAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _asked = true;
        await End().ConfigureAwait(false);
        TimeSpan patience = Current is null ? LongestUnwind : LongestHandOver;
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (await Task.WhenAny(_running, Task.Delay(patience, timeProvider, done.Token)).ConfigureAwait(false) == _running)
        {
            await done.CancelAsync().ConfigureAwait(false);
            await _running.ConfigureAwait(false); // throws what has stopped the node
        }
        else if (Current is not null)
        {
            _logger.NotHandedOver(patience.TotalSeconds);
        }
    }

    /// <inheritdoc/>
    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // of a host that did not start: it has said why
        if (!_stop.IsCancellationRequested)
            await StopAsync(CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <inheritdoc/>
    public void Dispose() => _ = End(); // whoever cannot wait is not waited for

    private void Begin()
    {
        _begun = true;
        _running = Task.Run(Run, CancellationToken.None);
    }

    // A service that waits for the node in its own StartAsync keeps the host from coming as far as to start it, and nothing would say so.
    private async Task WarnWhenNotBegun()
    {
        await Task.WhenAny(Task.Delay(LongestSilence, timeProvider, _stop.Token), _serves.Task).ConfigureAwait(false);
        if (!_begun && !_stop.IsCancellationRequested)
            _logger.NotBegun(LongestSilence.TotalSeconds);
    }

    private async Task End()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _stopped.TrySetResult();
    }

    private async Task Run()
    {
        try
        {
            await Serve(_stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Asked to end while it still started.
        }
        catch (Exception fault) when (_asked && Current is null)
        {
            _logger.GaveUpStart(fault);
        }
        catch (Exception fault)
        {
            Fault = fault;
            lifecycle.Drain();
            if (_serves.TrySetException(fault) && builder.EmbeddedSettings is null)
                _logger.NotStarted(fault);
            _introduced.TrySetException(fault);
            await StopHost().ConfigureAwait(false);
            throw;
        }
        finally
        {
            lifecycle.End();
            _serves.TrySetCanceled(CancellationToken.None);
            _introduced.TrySetCanceled(CancellationToken.None);
        }
    }

    private async Task Serve(CancellationToken cancellationToken)
    {
        NodeHandle running = await NodeHandle.Start(
            lifecycle.Application, builder.Embedded, options.Value, builder.EmbeddedSettings, loggerFactory, ownsLoggers: false,
            services, timeProvider, lifecycle.Enter, cancellationToken).ConfigureAwait(false);
        await using (running.ConfigureAwait(false))
        {
            EventSourcedNode node = running.Node;
            lifecycle.Serve(node, running.ServerChecks);
            _serves.TrySetResult(node);
            ServerAddresses servers = node.Addresses; // of embedded ones, the ports are known now
            _logger.Serves(node.Application.Name, servers.Kafka ?? "", Secrets.Redact(servers.Registry ?? ""),
                Secrets.Redact(servers.MongoDB ?? "(none is needed)"));
            Task introducing = Introduce(node, cancellationToken);
            await Task.WhenAny(introducing, node.Completion, _stopped.Task).ConfigureAwait(false);
            if (introducing.IsFaulted)
                await introducing.ConfigureAwait(false);
            if (await Task.WhenAny(node.Completion, _stopped.Task).ConfigureAwait(false) == _stopped.Task)
                return;
            Exception fault = node.Completion.Exception?.Flatten().InnerExceptions[0]
                ?? new InvalidOperationException("A part of the node ended, and nobody had asked it to.");
            _logger.Stopped(fault);
            if (_asked)
            {
                await _stopped.Task.ConfigureAwait(false);
                return; // it was ending anyway
            }

            lifecycle.Drain();
            Fault = fault;
            await StopHost().ConfigureAwait(false);
            await _stopped.Task.ConfigureAwait(false); // the server closes before the node
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(fault);
        }
    }

    // A host that is stopped while it starts tells that alone.
    private async Task StopHost()
    {
        await Started().ConfigureAwait(false);
        host.StopApplication();
    }

    // Ends when the host has started, or need not be waited for any more.
    private async Task Started()
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using CancellationTokenRegistration listening = host.ApplicationStarted.Register(() => started.TrySetResult());
        await Task.WhenAny(started.Task, _stopped.Task).ConfigureAwait(false);
    }

    // Which addresses the server has is known when the whole host has started.
    private async Task Introduce(EventSourcedNode node, CancellationToken cancellationToken)
    {
        await Started().ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        if (ReachableAt is { } reachable && (options.Value.Advertise ?? reachable()) is { } address)
            node.Advertise(address);
        _introduced.TrySetResult(node);
    }
}
