namespace KafkaEventSourcing.Hosting.Health;

/// <summary>
/// Asks a server again and again whether it answers, so that an idle node knows it too. Its answers are remembered; nobody waits for them.
/// Thread-safe; disposing ends it.
/// </summary>
internal sealed class ServerProbe : IAsyncDisposable
{
    private readonly Func<CancellationToken, Task> _ask;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _asking;
    private long _answered;
    private volatile string? _failure;

    /// <summary>Begins to ask.</summary>
    /// <param name="ask">Throws when the server does not answer.</param>
    /// <param name="interval">From one question to the next.</param>
    /// <param name="time">The clock.</param>
    public ServerProbe(Func<CancellationToken, Task> ask, TimeSpan interval, TimeProvider time)
    {
        (_ask, _time) = (ask, time);
        _answered = time.GetTimestamp();
        _asking = Task.Run(() => Ask(interval));
    }

    /// <summary>For how long the server has not answered; from the beginning on, before its first answer.</summary>
    public TimeSpan Silence => _time.GetElapsedTime(Interlocked.Read(ref _answered));

    /// <summary>Why the last question was not answered; null: it was.</summary>
    public string? Failure => _failure;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _asking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task Ask(TimeSpan interval)
    {
        using var timer = new PeriodicTimer(interval, _time);
        do
        {
            try
            {
                await _ask(_stop.Token).WaitAsync(_stop.Token).ConfigureAwait(false);
                _failure = null;
                Interlocked.Exchange(ref _answered, _time.GetTimestamp());
            }
            catch (Exception away) when (!_stop.IsCancellationRequested)
            {
                // Whatever it is: there was no answer, and the report says why.
                _failure = away.Message;
            }
        }
        while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false));
    }
}
