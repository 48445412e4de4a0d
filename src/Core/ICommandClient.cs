namespace KafkaEventSourcing;

/// <summary>The producers' door: sends a command and waits for its outcome. Thread-safe.</summary>
public interface ICommandClient
{
    /// <summary>
    /// Sends <paramref name="command"/> and returns its outcome once it is committed. When this throws, the outcome is not
    /// known; send the same command id again to learn it.
    /// </summary>
    /// <exception cref="InvalidInputException">The command cannot be sent as it is.</exception>
    /// <exception cref="AggregateParkedException">The aggregate is parked until an operator acts; the exception tells whether the command
    /// is kept.</exception>
    /// <exception cref="TimeoutException">No answer came within the client's time-out.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled.</exception>
    Task<CommandResult> SendAsync(CommandEnvelope command, CancellationToken cancellationToken = default);
}
