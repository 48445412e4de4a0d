using System.Diagnostics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.Nodes;
using KafkaEventSourcing.Processing;

namespace KafkaEventSourcing.Hosting;

/// <summary>
/// Sends a command directly to the owner of its partition, on this node or by HTTP on another; where no owner answers, by the command
/// topic, which waits for one. The command keeps its id on all ways, so that its first outcome comes back whichever it took. Thread-safe.
/// </summary>
internal sealed class CommandRouter(CommandProcessor processor, OwnerDirectory owners, NodeClient nodes, CommandClient topic,
    TimeSpan timeout, TimeProvider time) : ICommandClient
{
    // How often the direct way is tried; each try after the first follows a new owner.
    private const int MaxHops = 4;

    private Func<CommandEnvelope, Task<CommandResult>>? _elsewhere;

    // Other ids than those of W3C do not make a traceparent.
    private static string? CurrentParent => Activity.Current is { IdFormat: ActivityIdFormat.W3C } current ? current.Id : null;

    /// <inheritdoc/>
    public Task<CommandResult> SendAsync(CommandEnvelope command, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return Task.FromCanceled<CommandResult>(cancellationToken); // nobody wants it any more
        try
        {
            return processor.TrySend(command, _elsewhere ??= given => SendElsewhere(given, CancellationToken.None), cancellationToken,
                out Task<CommandResult>? outcome)
                ? outcome
                : SendElsewhere(command, cancellationToken);
        }
        catch (OverloadedException full)
        {
            return Task.FromException<CommandResult>(full);
        }
    }

    private async Task<CommandResult> SendElsewhere(CommandEnvelope command, CancellationToken cancellationToken)
    {
        command = command with
        {
            Time = command.Time ?? time.GetUtcNow(),
            TraceParent = command.TraceParent ?? CurrentParent,
            TraceState = Tracing.StateOf(command),
        };
        int partition = processor.PartitionOf(command.AggregateId);
        var resolver = new OwnerResolver(owners, processor.NodeId, partition, timeout, time);
        byte[]? payload = null;
        try
        {
            for (int hop = 0; hop < MaxHops && partition >= 0; hop++)
            {
                if (processor.TrySend(command, out Task<CommandResult>? outcome))
                {
                    try
                    {
                        return await outcome.WaitAsync(resolver.Left, time, cancellationToken).ConfigureAwait(false);
                    }
                    catch (AggregateUnavailableException)
                    {
                        continue;
                    }
                }

                if (resolver.Owner is not { } owner)
                    break;
                payload ??= processor.Encode(command);
                switch (await resolver.Ask(owner, stop =>
                    nodes.Send(owner, command, payload, stop), cancellationToken).ConfigureAwait(false))
                {
                    case NodeResponse<CommandResult>.Answered answered:
                        return answered.Value;
                    case NodeResponse<CommandResult>.Overloaded overloaded:
                        throw new OverloadedException(overloaded.Message);
                }

                if (!resolver.HasNews)
                    break;
            }

            return await topic.SendAsync(command, cancellationToken)
                .WaitAsync(resolver.Left, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException late) when (resolver.Left == TimeSpan.Zero)
        {
            throw UnknownOutcome.After(command.CommandId.Value, timeout, late);
        }
    }
}
