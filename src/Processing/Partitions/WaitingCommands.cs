using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Commands that are read and not decided yet, in their order. They are decided in transactions of bounded size. Not thread-safe: the
/// partition task owns it.
/// </summary>
internal sealed class WaitingCommands(BatchDecider decider, BatchCommitter committer, CommandTracing tracing, long maxBatchBytes)
{
    /// <summary>What waits.</summary>
    public List<IncomingCommand> Commands { get; } = [];

    /// <summary>Decides and commits all; <paramref name="input"/> is the input offset behind them, -1: all came directly.</summary>
    public void Commit(long input)
    {
        // Small commands may make large events, or be of large aggregates: what one transaction holds in memory is bounded by what is
        // decided, too.
        for (int first = 0, next; first < Commands.Count; first = next)
        {
            next = first;
            committer.Commit(
                () =>
                {
                    for (next = first; next < Commands.Count && (next == first || decider.Bytes < maxBatchBytes); next++)
                        Decide(Commands[next]);
                },
                () => next == Commands.Count ? input : InputOf(first, next));
        }

        Commands.Clear();
    }

    private void Decide(IncomingCommand command)
    {
        if (Tracing.IsOn)
            tracing.Decide(decider, command);
        else
            decider.Decide(command);
    }

    // The offset behind the last record of the command topic among those; -1: they are all came directly.
    private long InputOf(int first, int next)
    {
        for (int i = next - 1; i >= first; i--)
        {
            if (Commands[i].Record is { } record)
                return record.Offset.Value + 1;
        }

        return -1;
    }
}
