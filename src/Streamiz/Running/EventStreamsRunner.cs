using System.Runtime.CompilerServices;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;
using Streamiz.Kafka.Net.State;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Runs a definition until it is disposed, and starts it again after a fault, with a wait that grows and is random in part. Thread-safe.
/// </summary>
public sealed partial class EventStreamsRunner : IEventStreams, IAsyncDisposable
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MissingDelay = TimeSpan.FromSeconds(2);

    private readonly string _application;
    private readonly EventStreamsOptions _options;
    private readonly ApplicationServers _servers;
    private readonly StreamClientsFactory _clientsOf;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly StreamTelemetry _telemetry;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource<StreamRun> _run = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile string? _fault;
    private volatile string? _missing;
    private volatile StreamRun? _current;
    private int _failures;
    private bool _isAfterFault;

    private EventStreamsRunner(EventStreamsDefinition definition, string application, ApplicationServers servers,
        EventStreamsOptions options, StreamClientsFactory clientsOf, ILoggerFactory loggers, TimeProvider time)
    {
        (Definition, _application, _servers, _options, _clientsOf, _loggers, _time) =
            (definition, application, servers, options, clientsOf, loggers, time);
        _logger = loggers.CreateLogger("KafkaEventSourcing.Streamiz");
        _telemetry = new StreamTelemetry(definition.Name);
    }

    /// <inheritdoc/>
    public EventStreamsDefinition Definition { get; }

    /// <summary>Ends when it was disposed; or fails with a fault that no other start would mend, as an option that is wrong.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <inheritdoc/>
    public string? Trouble
    {
        get
        {
            if (_missing is { } missing)
                return $"{Definition.Name} waits for {missing}.";
            if (_fault is { } fault)
                return $"{Definition.Name} stands still and starts again after a wait: {fault}";
            if (_current is not { } run)
                return $"{Definition.Name} is starting.";
            long left = run.Environment.Assignment.Restores.Sum(r => r.Remaining);
            return run.Restored.IsCompleted && left == 0 ? null : $"{Definition.Name} restores its stores; {left:N0} records are left.";
        }
    }

    /// <summary>Starts <paramref name="definition"/> in the background.</summary>
    /// <param name="definition">What runs.</param>
    /// <param name="application">The application whose events are read.</param>
    /// <param name="servers">Where its log is.</param>
    /// <param name="options">How.</param>
    /// <param name="loggerFactory">Where it logs, and Streamiz.</param>
    /// <param name="timeProvider">The clock of the waits after a fault; Streamiz has its own.</param>
    /// <exception cref="InvalidInputException">An option is out of range, or the definition has the name of the application or of one of
    /// its consumer groups.</exception>
    public static EventStreamsRunner Start(EventStreamsDefinition definition, string application, ApplicationServers servers,
        EventStreamsOptions options, ILoggerFactory loggerFactory, TimeProvider timeProvider) =>
        Start(definition, application, servers, options, static settings => new StreamClients(settings), loggerFactory, timeProvider);

    internal static EventStreamsRunner Start(EventStreamsDefinition definition, string application, ApplicationServers servers,
        EventStreamsOptions options, StreamClientsFactory clientsOf, ILoggerFactory loggerFactory, TimeProvider timeProvider)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentNullException.ThrowIfNull(servers);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(loggerFactory);
        options.Validate();
        servers.Kafka.Validate();
        StreamNames.CheckIsFree(definition.Name, application,
            definition.Sources.SelectMany(s => new TopicFamily(application, s.Name).Groups));
        var runner = new EventStreamsRunner(definition, application, servers, options, clientsOf, loggerFactory, timeProvider);
        using (ExecutionContext.IsFlowSuppressed() ? default : ExecutionContext.SuppressFlow()) // its threads outlive whoever starts them
            runner.Completion = Task.Run(runner.Run);
        return runner;
    }

    /// <inheritdoc/>
    public async Task WaitForRestoreAsync(CancellationToken cancellationToken = default)
    {
        StreamRun run = await CurrentAsync(cancellationToken).ConfigureAwait(false);
        while (await Task.WhenAny(run.Restored, run.Fault).WaitAsync(cancellationToken).ConfigureAwait(false) != run.Restored)
            run = await NextAsync(run, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task WaitForAsync(AggregateDefinition aggregate, ConsistencyToken token, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(aggregate);
        StreamRun run = await CurrentAsync(cancellationToken).ConfigureAwait(false);
        while (!await run.Environment.Assignment.ReachAsync(TopicOf(aggregate), token.Partition, token.Offset, cancellationToken)
            .ConfigureAwait(false))
            run = await NextAsync(run, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task<StreamSnapshot<TState>?> ReadSnapshotAsync<TState>(AggregateDefinition<TState> aggregate, AggregateId id,
        ConsistencyToken atLeast = default, CancellationToken cancellationToken = default)
        where TState : class
    {
        string store = StoreOf(aggregate);
        string topic = TopicOf(aggregate);
        byte[] key = Encoding.UTF8.GetBytes(id.Value);
        StreamRun run = await CurrentAsync(cancellationToken).ConfigureAwait(false);
        if (!atLeast.IsDefault && atLeast.Partition != Murmur2.Partition(key, run.PartitionsOf(topic)))
            throw new InvalidInputException(nameof(atLeast),
                $"The token {atLeast} is not one of '{id}', whose events are in partition "
                    + $"{Murmur2.Partition(key, run.PartitionsOf(topic))}.");
        while (true)
        {
            long revocations = run.Environment.Assignment.Revocations;
            if (!atLeast.IsDefault)
                await WaitForAsync(aggregate, atLeast, cancellationToken).ConfigureAwait(false);
            (bool asked, Snapshot? snapshot) = await run.Environment.Assignment.AskAsync<Snapshot?, Snapshot?>(store, topic,
                Murmur2.Partition(key, run.PartitionsOf(topic)), s => s.Get(key), cancellationToken).ConfigureAwait(false);
            if (asked && IsAsWaitedFor(run, revocations, atLeast))
                return snapshot is null ? null : SnapshotViews.Of<TState>(id, snapshot);
            if (!asked)
                run = await NextAsync(run, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StreamSnapshot<TState>> ReadSnapshotsAsync<TState>(AggregateDefinition<TState> aggregate,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
        where TState : class
    {
        string store = StoreOf(aggregate);
        string topic = TopicOf(aggregate);
        await WaitForRestoreAsync(cancellationToken).ConfigureAwait(false);
        StreamRun run = await CurrentAsync(cancellationToken).ConfigureAwait(false);
        foreach (int partition in run.Environment.Assignment.PartitionsOf(store))
        {
            (_, List<StreamSnapshot<TState>>? all) = await run.Environment.Assignment.AskAsync<Snapshot?, List<StreamSnapshot<TState>>>(
                store, topic, partition, s => [.. s.All().Where(e => e.Value?.State is not null).Select(e =>
                    SnapshotViews.Of<TState>(AggregateId.Parse(Encoding.UTF8.GetString(e.Key)), e.Value!))], cancellationToken)
                .ConfigureAwait(false);
            foreach (StreamSnapshot<TState> snapshot in all ?? [])
                yield return snapshot;
        }
    }

    /// <inheritdoc/>
    public async Task<RunningTotal?> ReadTotalAsync(string totals, string key, DateOnly firstDay, AggregateDefinition? aggregate = null,
        ConsistencyToken atLeast = default, CancellationToken cancellationToken = default)
    {
        TotalsPart part = Definition.Totals.FirstOrDefault(t => t.Name == totals)
            ?? throw new InvalidInputException(nameof(totals), $"The event streams '{Definition.Name}' have no totals '{totals}'.");
        if (aggregate is null && !atLeast.IsDefault)
            throw new InvalidInputException(nameof(aggregate), "A token is one of an aggregate type: give that too.");
        byte[] bytes = KeySerDes.BytesOf(TotalKey.Of(key, firstDay));
        string topic = Definition.RepartitionOf(part.Store);
        StreamRun run = await CurrentAsync(cancellationToken).ConfigureAwait(false);
        while (true)
        {
            long revocations = run.Environment.Assignment.Revocations;
            int partition = Murmur2.Partition(bytes, run.PartitionsOf(topic));
            if (aggregate is null || atLeast.IsDefault
                || await run.ReachAsync(part, partition, aggregate, TopicOf(aggregate), atLeast, cancellationToken).ConfigureAwait(false))
            {
                (bool asked, RunningTotal? total) = await run.Environment.Assignment.AskAsync<RunningTotal?, RunningTotal?>(part.Store,
                    topic, partition, s => s.Get(bytes), cancellationToken).ConfigureAwait(false);
                if (asked && IsAsWaitedFor(run, revocations, atLeast))
                    return total;
                if (asked)
                    continue;
            }

            run = await NextAsync(run, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Ends the streams: what is processed is committed, and the partitions are given to others.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // a fault is Completion's to tell
    }

    private async Task Run()
    {
        using StreamFolder folder = StreamFolder.Take(_options.DataDirectory ?? _servers.DataDirectory, Definition.Name);
        ResiliencePipeline again = new ResiliencePipelineBuilder { TimeProvider = _time }.AddRetry(new RetryStrategyOptions
        {
            ShouldHandle = static outcome => new(outcome.Outcome.Exception is not (null or OperationCanceledException
                or InvalidInputException)),
            MaxRetryAttempts = int.MaxValue,
            DelayGenerator = retry => new(retry.Outcome.Exception is SourcesMissingException ? MissingDelay : DelayAfter(_failures)),
            OnRetry = retry =>
            {
                Tell(retry.Outcome.Exception!, retry.RetryDelay.TotalSeconds);
                return default;
            },
        }).Build();
        try
        {
            await again.ExecuteAsync(async cancellationToken => await RunOnce(folder, cancellationToken).ConfigureAwait(false), _stop.Token)
                .ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // It was asked to end.
        }
        catch (Exception fault)
        {
            _fault = fault.Message;
            LogEnded(_logger, fault, Definition.Name);
            lock (_lock)
                _run.TrySetException(fault);
            throw;
        }
    }

    // What is in words for people needs no stack; a fault of code does.
    private void Tell(Exception fault, double seconds)
    {
        if (fault is SourcesMissingException)
        {
            LogMissing(_logger, Definition.Name, fault.Message);
            return;
        }

        _telemetry.Restarted();
        LogAgain(_logger, fault is StreamStateException or KafkaException ? null : fault, Definition.Name, seconds, fault.Message);
    }

    // Each twice as long, of which a quarter is random, so that processes that fail together do not start together.
    private TimeSpan DelayAfter(int failures)
    {
        double seconds = Math.Min(_options.MaxRestartDelay.TotalSeconds, FirstDelay.TotalSeconds * Math.Pow(2, Math.Min(failures - 1, 20)));
        return TimeSpan.FromSeconds(seconds * (0.75 + (Random.Shared.NextDouble() / 4)));
    }

    private async Task RunOnce(StreamFolder folder, CancellationToken cancellationToken)
    {
        StreamRun? run = null;
        try
        {
            run = await StreamRun.StartAsync(Definition, _application, _options, _servers, folder, _clientsOf, _loggers,
                cancellationToken, _isAfterFault).ConfigureAwait(false);
            _isAfterFault = false;
            await using (run.ConfigureAwait(false))
            {
                _current = run;
                _fault = null;
                _missing = null;
                lock (_lock)
                    _run.TrySetResult(run);
                LogRuns(_logger, Definition.Name);
                await Task.WhenAny(run.Fault, run.Restored).WaitAsync(cancellationToken).ConfigureAwait(false);
                if (run.Restored.IsCompleted)
                    _failures = 0; // what fails later is another matter
                Exception fault = await run.Fault.WaitAsync(cancellationToken).ConfigureAwait(false);
                throw fault is StreamStateException ? fault
                    : new InvalidOperationException($"A thread of Streamiz has failed: {fault.Message}", fault);
            }
        }
        catch (SourcesMissingException missing)
        {
            (_missing, _fault) = (missing.Message, null);
            throw;
        }
        catch (Exception failure) when (failure is not OperationCanceledException)
        {
            _failures++;
            _isAfterFault = true;
            (_fault, _missing) = (failure.Message, null);
            if (CannotOpen(failure))
            {
                LogRenewed(_logger, Definition.Name, folder.StatePath);
                folder.Renew();
            }

            throw;
        }
        finally
        {
            _current = null;
            lock (_lock)
            {
                if (_run.Task.IsCompleted)
                    _run = new TaskCompletionSource<StreamRun>(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            run?.MarkEnded();
        }
    }

    // RocksDB itself has refused: whatever it is, what the store had is in its topic.
    private static bool CannotOpen(Exception failure)
    {
        for (Exception? inner = failure; inner is not null; inner = inner.InnerException)
        {
            if (inner is RocksDbSharp.RocksDbException)
                return true;
        }

        return false;
    }

    // A store that was opened again after the wait may have less than it had then.
    private static bool IsAsWaitedFor(StreamRun run, long revocations, ConsistencyToken atLeast) =>
        atLeast.IsDefault || run.Environment.Assignment.Revocations == revocations;

    private Task<StreamRun> CurrentAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
            return _run.Task.WaitAsync(cancellationToken);
    }

    // The run after one that has ended.
    private async Task<StreamRun> NextAsync(StreamRun ended, CancellationToken cancellationToken)
    {
        while (true)
        {
            StreamRun next = await CurrentAsync(cancellationToken).ConfigureAwait(false);
            if (next != ended)
                return next;
            await ended.Ended.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private string TopicOf(AggregateDefinition aggregate) => Definition.Sources.Contains(aggregate)
        ? new TopicFamily(_application, aggregate.Name).Events
        : throw new InvalidInputException(nameof(aggregate), $"The event streams '{Definition.Name}' do not read '{aggregate.Name}'.");

    private string StoreOf(AggregateDefinition aggregate)
    {
        ArgumentNullException.ThrowIfNull(aggregate);
        return Definition.Snapshots.FirstOrDefault(s => s.Aggregate == aggregate)?.Store
            ?? throw new InvalidInputException(nameof(aggregate),
                $"The event streams '{Definition.Name}' have no snapshots of '{aggregate.Name}'.");
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Streams {Streams} run")]
    private static partial void LogRuns(ILogger logger, string streams);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Streams {Streams}: a store in {Folder} cannot be opened or written; all are made anew from their topics")]
    private static partial void LogRenewed(ILogger logger, string streams, string folder);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Streams {Streams} wait for {Missing}")]
    private static partial void LogMissing(ILogger logger, string streams, string missing);

    [LoggerMessage(Level = LogLevel.Error, Message = "Streams {Streams} stand still, and start again in {Seconds:F1} s: {Message}")]
    private static partial void LogAgain(ILogger logger, Exception? fault, string streams, double seconds, string message);

    [LoggerMessage(Level = LogLevel.Error, Message = "Streams {Streams} have ended: no other start would mend it")]
    private static partial void LogEnded(ILogger logger, Exception fault, string streams);
}
