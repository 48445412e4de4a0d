namespace KafkaEventSourcing.Testing;

/// <summary>
/// Sends through another client and records each call. A command without a time gets one here, so that it can be decided again by whoever
/// checks the history. Thread-safe.
/// </summary>
public sealed class RecordingCommandClient : ICommandClient
{
    private readonly ICommandClient _inner;
    private readonly CallHistory _history;
    private readonly string _caller;

    /// <summary>
    /// Records the calls to <paramref name="inner"/> in <paramref name="history"/> as those of <paramref name="caller"/>.
    /// </summary>
    public RecordingCommandClient(ICommandClient inner, CallHistory history, string caller) =>
        (_inner, _history, _caller) = (inner, history, caller);

    /// <inheritdoc/>
    public async Task<CommandResult> SendAsync(CommandEnvelope command, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(command);
        CommandEnvelope sent = command.Time is null ? command with { Time = _history.Time.GetUtcNow() } : command;
        CallHistory.OpenCall call = _history.Begin(_caller, sent.AggregateId, sent);
        try
        {
            CommandResult result = await _inner.SendAsync(sent, cancellationToken).ConfigureAwait(false);
            call.Answer = new CallAnswer.Told(_history.Time.GetTimestamp(), result);
            return result;
        }
        catch (Exception refused) when (refused is OverloadedException or InvalidInputException)
        {
            call.Answer = new CallAnswer.NotTaken(_history.Time.GetTimestamp(), refused.GetType().Name);
            throw;
        }
        catch (Exception failure)
        {
            call.Answer = new CallAnswer.Unknown(_history.Time.GetTimestamp(), failure.GetType().Name);
            throw;
        }
    }
}
