using System.Diagnostics;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Whoever waits for the outcome of a command at the direct door. It is all that a call costs beside its command: what is late is found by
/// looking through the commands that wait, not by a timer for each.
/// </summary>
internal sealed class DirectCaller(CommandEnvelope command, Func<CommandEnvelope, Task<CommandResult>>? elsewhere)
    : TaskCompletionSource<CommandResult>(TaskCreationOptions.RunContinuationsAsynchronously)
{
    private CancellationTokenRegistration _cancellation;

    /// <summary>When it came, as a timestamp of <see cref="Stopwatch"/>.</summary>
    public long Since { get; } = Stopwatch.GetTimestamp();

    /// <summary>Gives up waiting when <paramref name="cancellationToken"/> says so; the command may take effect all the same.</summary>
    public void CancelBy(CancellationToken cancellationToken)
    {
        if (cancellationToken.CanBeCanceled)
            _cancellation = cancellationToken.UnsafeRegister(static (caller, token) => ((DirectCaller)caller!).TrySetCanceled(token), this);
    }

    /// <summary>It has been told the outcome, or why there is none.</summary>
    public void Completed() => _cancellation.Unregister();

    /// <summary>
    /// The partition has left this node before the command was decided, or before that was known: it is sent where its owner is now, or the
    /// caller is told.
    /// </summary>
    public void GiveUp(AggregateUnavailableException unavailable)
    {
        Completed();
        if (elsewhere is null)
            TrySetException(unavailable);
        else if (!Task.IsCompleted)
            _ = SendElsewhere(elsewhere);
    }

    private async Task SendElsewhere(Func<CommandEnvelope, Task<CommandResult>> send)
    {
        try
        {
            TrySetResult(await send(command).ConfigureAwait(false));
        }
        catch (Exception failure) // the caller's, whatever it is
        {
            TrySetException(failure);
        }
    }
}
