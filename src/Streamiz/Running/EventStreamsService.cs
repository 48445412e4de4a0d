using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Streams in a host. They start in the background when the application's servers are known, and end when the host is asked to, before any
/// of its services is stopped: the servers, embedded ones too, are there for what is committed last.
/// </summary>
internal sealed class EventStreamsService : IHostedLifecycleService, IApplicationPart, IEventStreams, IAsyncDisposable
{
    // A commit to a Kafka that stands still must not outlast the patience of a service manager. Nothing is lost: it is as if the process
    // had been killed then.
    private static readonly TimeSpan LongestEnd = TimeSpan.FromSeconds(20);

    private readonly EventStreamsOptions _options;
    private readonly IApplicationHost _host;
    private readonly ILoggerFactory _loggers;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource<EventStreamsRunner> _runner = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _starting = Task.CompletedTask;
    private int _disposed;

    public EventStreamsService(EventStreamsDefinition definition, EventStreamsOptions options, IServiceProvider services,
        ILoggerFactory loggers, TimeProvider time)
    {
        (Definition, _options, _loggers, _time) = (definition, options, loggers, time);
        _host = services.GetService<IApplicationHost>()
            ?? throw new InvalidOperationException($"Event streams '{definition.Name}' do not know where the log is: add the application "
                + $"to this host, or call {nameof(EventStreamsServiceExtensions.AddApplicationServers)} in a process of their own.");
    }

    /// <inheritdoc/>
    public string Name => $"streams:{Definition.Name}";

    /// <inheritdoc/>
    public EventStreamsDefinition Definition { get; }

    /// <inheritdoc/>
    public string? Trouble => _runner.Task switch
    {
        { IsCompletedSuccessfully: true } started => started.Result.Trouble,
        { IsFaulted: true } failed => $"{Definition.Name} has not started: {failed.Exception!.InnerException!.Message}",
        _ => $"{Definition.Name} waits for the application's servers.",
    };

    /// <inheritdoc/>
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        // Before anything runs: a name that is taken ends the start of the host.
        StreamNames.CheckIsFree(Definition.Name, _host.Application, _host.ConsumerGroups);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        _starting = Task.Run(Begin, CancellationToken.None);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _starting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // it has told what failed
        if (!_runner.Task.IsCompletedSuccessfully)
            return;
        Task ending = (await _runner.Task.ConfigureAwait(false)).DisposeAsync().AsTask();
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (await Task.WhenAny(ending, Task.Delay(LongestEnd, _time, done.Token)).ConfigureAwait(false) == ending)
            await ending.ConfigureAwait(false);
        await done.CancelAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public async Task WaitForRestoreAsync(CancellationToken cancellationToken = default) =>
        await (await RunnerAsync(cancellationToken).ConfigureAwait(false)).WaitForRestoreAsync(cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async Task WaitForAsync(AggregateDefinition aggregate, ConsistencyToken token, CancellationToken cancellationToken = default) =>
        await (await RunnerAsync(cancellationToken).ConfigureAwait(false)).WaitForAsync(aggregate, token, cancellationToken)
            .ConfigureAwait(false);

    /// <inheritdoc/>
    public async Task<StreamSnapshot<TState>?> ReadSnapshotAsync<TState>(AggregateDefinition<TState> aggregate, AggregateId id,
        ConsistencyToken atLeast = default, CancellationToken cancellationToken = default)
        where TState : class =>
        await (await RunnerAsync(cancellationToken).ConfigureAwait(false)).ReadSnapshotAsync(aggregate, id, atLeast, cancellationToken)
            .ConfigureAwait(false);

    /// <inheritdoc/>
    public async IAsyncEnumerable<StreamSnapshot<TState>> ReadSnapshotsAsync<TState>(AggregateDefinition<TState> aggregate,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
        where TState : class
    {
        EventStreamsRunner runner = await RunnerAsync(cancellationToken).ConfigureAwait(false);
        await foreach (StreamSnapshot<TState> snapshot in runner.ReadSnapshotsAsync(aggregate, cancellationToken).ConfigureAwait(false))
            yield return snapshot;
    }

    /// <inheritdoc/>
    public async Task<RunningTotal?> ReadTotalAsync(string totals, string key, DateOnly firstDay, AggregateDefinition? aggregate = null,
        ConsistencyToken atLeast = default, CancellationToken cancellationToken = default) =>
        await (await RunnerAsync(cancellationToken).ConfigureAwait(false)).ReadTotalAsync(totals, key, firstDay, aggregate, atLeast,
            cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return; // a container disposes it once for each service that it is
        await StoppingAsync(CancellationToken.None).ConfigureAwait(false); // of a host that did not come as far as to ask
        _stop.Dispose();
    }

    private Task<EventStreamsRunner> RunnerAsync(CancellationToken cancellationToken) => _runner.Task.WaitAsync(cancellationToken);

    private async Task Begin()
    {
        try
        {
            ApplicationServers servers = await _host.WaitForServersAsync(_stop.Token).ConfigureAwait(false);
            _runner.TrySetResult(EventStreamsRunner.Start(Definition, _host.Application, servers, _options, _loggers, _time));
        }
        catch (OperationCanceledException)
        {
            _runner.TrySetCanceled(CancellationToken.None); // the host ends
        }
        catch (Exception fault)
        {
            // The node has not started, and says so; or what the servers are is unusable, which it would not have started with.
            _runner.TrySetException(fault);
        }
    }
}
