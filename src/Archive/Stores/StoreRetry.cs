namespace KafkaEventSourcing.Archive;

/// <summary>
/// Tries a call to an object store again where the failure may pass, a little later each time. The clients' own retries are off: whoever
/// makes a file must know that an earlier attempt may have made it. Thread-safe.
/// </summary>
internal sealed class StoreRetry(TimeProvider time, Func<Exception, bool> mayPass)
{
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(10);

    /// <summary>How often a call is tried.</summary>
    public int Attempts { get; init; } = 7;

    /// <summary>How long it is before the second attempt, about; it doubles from there.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Calls until it succeeds; the attempts count from 1.</summary>
    public async Task<T> RunAsync<T>(Func<int, Task<T>> call, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                return await call(attempt);
            }
            catch (Exception e) when (cancellationToken.IsCancellationRequested && e is not OperationCanceledException)
            {
                throw new OperationCanceledException(e.Message, e, cancellationToken);
            }
            catch (Exception e) when (attempt < Attempts && !cancellationToken.IsCancellationRequested && mayPass(e))
            {
                await Task.Delay(Before(attempt), time, cancellationToken);
            }
        }
    }

    // Between a half and the whole, so that those who failed together do not come again together.
    private TimeSpan Before(int attempt)
    {
        TimeSpan longest = Delay * Math.Pow(2, attempt - 1);
        if (longest > LongestDelay)
            longest = LongestDelay;
#pragma warning disable CA5394 // no secret hangs on it
        return longest * (0.5 + (Random.Shared.NextDouble() / 2));
#pragma warning restore CA5394
    }
}
