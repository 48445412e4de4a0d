using System.Diagnostics;

namespace KafkaEventSourcing.Hosting.Load;

/// <summary>
/// Sends many commands with a bounded number in flight, in order per aggregate, and counts what comes back. A command whose outcome stays
/// unknown is sent again under its id, so it takes effect once. For one feeding caller at a time.
/// </summary>
public sealed class CommandFeed : IDisposable
{
    private readonly ICommandClient _client;
    private readonly CommandFeedOptions _options;
    private readonly SemaphoreSlim _window;
    private readonly Lock _firstFaultLock = new();
    private Exception? _firstFault;
    private long _accepted;
    private long _duplicates;
    private long _rejected;
    private long _conflicts;
    private long _faulted;
    private long _answered;

    /// <summary>Creates a feed on <paramref name="client"/>.</summary>
    /// <exception cref="InvalidInputException">The options are out of range.</exception>
    public CommandFeed(ICommandClient client, CommandFeedOptions options)
    {
        options.Validate();
        (_client, _options) = (client, options);
        _window = new SemaphoreSlim(options.MaxInFlight, options.MaxInFlight);
    }

    /// <summary>Commands answered so far.</summary>
    public long Answered => Interlocked.Read(ref _answered);

    /// <summary>Answers that took effect now.</summary>
    public long Accepted => Interlocked.Read(ref _accepted);

    /// <summary>Answers to ids that had been decided before.</summary>
    public long Duplicates => Interlocked.Read(ref _duplicates);

    /// <summary>Answers that the domain said no with.</summary>
    public long Rejected => Interlocked.Read(ref _rejected);

    /// <summary>Answers that reported another version than expected.</summary>
    public long Conflicts => Interlocked.Read(ref _conflicts);

    /// <summary>Answers that reported a fault.</summary>
    public long Faulted => Interlocked.Read(ref _faulted);

    /// <summary>From sending to answer, per command.</summary>
    public LatencyHistogram Latency { get; } = new();

    /// <summary>Called with each answer that is not accepted; must be thread-safe and quick.</summary>
    public Action<CommandEnvelope, CommandResult>? OnRefused { get; init; }

    /// <summary>Sends all <paramref name="commands"/> and returns when each has its answer.</summary>
    /// <exception cref="TimeoutException">A command got no answer in all its attempts.</exception>
    public async Task SendAsync(IEnumerable<CommandEnvelope> commands, CancellationToken cancellationToken = default)
    {
        foreach (CommandEnvelope command in commands)
        {
            await _window.WaitAsync(cancellationToken).ConfigureAwait(false);
            if (Volatile.Read(ref _firstFault) is not null)
            {
                _window.Release();
                break;
            }

            _ = SendOne(command, cancellationToken);
        }

        // All permits back: nothing is in flight. Not cancellable: whoever is in flight holds a permit and gives it back when it is
        // cancelled.
        for (int i = 0; i < _options.MaxInFlight; i++)
            await _window.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        _window.Release(_options.MaxInFlight);
        cancellationToken.ThrowIfCancellationRequested();
        if (_firstFault is { } fault)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(fault);
    }

    /// <inheritdoc/>
    public void Dispose() => _window.Dispose();

    private async Task SendOne(CommandEnvelope command, CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        try
        {
            CommandResult result = await SendUntilKnown(command, cancellationToken).ConfigureAwait(false);
            Latency.Record(Stopwatch.GetElapsedTime(started));
            Count(command, result);
        }
        catch (Exception fault)
        {
            lock (_firstFaultLock)
                _firstFault ??= fault;
        }
        finally
        {
            _window.Release();
        }
    }

    private async Task<CommandResult> SendUntilKnown(CommandEnvelope command, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return await _client.SendAsync(command, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException) when (attempt < _options.Attempts)
            {
                // The outcome is unknown: the same id again gives it, whichever it was.
            }
        }
    }

    private void Count(CommandEnvelope command, CommandResult result)
    {
        Interlocked.Increment(ref _answered);
        switch (result)
        {
            case CommandResult.Accepted:
                Interlocked.Increment(ref result.IsDuplicate ? ref _duplicates : ref _accepted);
                return;
            case CommandResult.Rejected:
                Interlocked.Increment(ref _rejected);
                break;
            case CommandResult.Conflict:
                Interlocked.Increment(ref _conflicts);
                break;
            default:
                Interlocked.Increment(ref _faulted);
                break;
        }

        OnRefused?.Invoke(command, result);
    }
}

