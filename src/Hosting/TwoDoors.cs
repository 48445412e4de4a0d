using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Processing;

namespace KafkaEventSourcing.Hosting;

/// <summary>
/// Sends a command by the direct door where this node owns the aggregate, and by the command topic where it does not. When the partition leaves this node while a command waits, the command goes by the
/// topic under the same id, and its first outcome comes back whichever door it took. Thread-safe.
/// </summary>
internal sealed class TwoDoors(CommandProcessor processor, CommandClient topic, TimeSpan timeout, TimeProvider time) : ICommandClient
{
    /// <inheritdoc/>
    public Task<CommandResult> Send(CommandEnvelope command, CancellationToken cancellationToken) =>
        processor.TrySend(command, out Task<CommandResult>? outcome)
            ? Await(outcome, command, cancellationToken)
            : topic.Send(command, cancellationToken);

    private async Task<CommandResult> Await(Task<CommandResult> outcome, CommandEnvelope command, CancellationToken cancellationToken)
    {
        try
        {
            return await outcome.WaitAsync(timeout, time, cancellationToken).ConfigureAwait(false);
        }
        catch (AggregateUnavailableException)
        {
            return await topic.Send(command, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException($"No answer to the command {command.CommandId} within {timeout.TotalSeconds:0.#} s. The outcome is not known: send it again under the same id to learn it.", late);
        }
    }
}
