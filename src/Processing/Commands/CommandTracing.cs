using System.Diagnostics;
using System.Text;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>The spans of a partition's batches. Its methods are called only while somebody listens.</summary>
internal sealed class CommandTracing(TopicFamily topics, int partition)
{
    /// <summary>Starts the span of a batch of the command topic that is being read; null where all came by the direct door.</summary>
    public Activity? Receive(List<QueuedCommand> batch)
    {
        int records = batch.Count(q => q.Record is not null);
        if (records == 0)
            return null;
        Activity? receiving = Tracing.Start("receive", "receive", ActivityKind.Client, topics.Commands);
        Tracing.SetTopic(receiving, topics.Commands, partition);
        receiving?.SetTag("messaging.batch.message_count", records);
        return receiving;
    }

    /// <summary>Links what is received to whoever sent <paramref name="command"/>.</summary>
    public static void Link(Activity receiving, IncomingCommand command)
    {
        if (command.Record is not null && command.Context is var sender && sender != default && receiving.Links.Count() < Tracing.MaxLinks)
            receiving.AddLink(new ActivityLink(sender));
    }

    /// <summary>Decides <paramref name="command"/> within a span whose parent is whoever sent it.</summary>
    public void Decide(BatchDecider decider, IncomingCommand command)
    {
        if (command.ForwardTo is not null)
        {
            decider.Decide(command); // by the owner of its partition
            return;
        }

        int answers = decider.Answers.Count;
        using Activity? deciding = Start(command);
        command.Trace(deciding);
        decider.Decide(command);
        if (deciding is null || decider.Answers.Count == answers)
            return;
        CommandOutcome outcome = decider.Answers[^1].Outcome;
        deciding.SetTag("kes.outcome", outcome.Kind.ToString());
        deciding.SetTag("kes.aggregate.version", outcome.Version);
        if (outcome.Kind == OutcomeKind.Faulted)
        {
            deciding.SetTag("error.type", outcome.Explanation?.Code);
            deciding.SetStatus(ActivityStatusCode.Error, outcome.Explanation?.Message);
        }
    }

    /// <summary>Starts the span of the transaction that appends what was decided.</summary>
    public Activity? Append(IReadOnlyList<DecidedEvent> events)
    {
        if (events.Count == 0)
            return null;
        Activity? appending = Tracing.Start("append", "send", ActivityKind.Producer, topics.Events,
            links: events.Select(e => e.Cause.Context));
        Tracing.SetTopic(appending, topics.Events, partition);
        appending?.SetTag("messaging.batch.message_count", events.Count);
        return appending;
    }

    private Activity? Start(IncomingCommand command)
    {
        Activity? deciding = command.Record is null
            ? Tracing.Source.StartActivity($"decide {topics.Application}.{topics.Aggregate}", ActivityKind.Internal, command.Sender)
            : Tracing.Start("decide", "process", ActivityKind.Consumer, topics.Commands, command.Sender);
        if (deciding is null)
            return null;
        if (command.Record is { } record)
        {
            Tracing.SetTopic(deciding, topics.Commands, partition);
            deciding.SetTag("messaging.kafka.message.key", command.KeyText);
            deciding.SetTag("messaging.kafka.offset", record.Offset.Value);
            deciding.SetTag("messaging.message.id", command.CommandId.Value);
        }

        deciding.SetTag("kes.command.id", command.CommandId.Value);
        deciding.SetTag("kes.aggregate.type", topics.Aggregate);
        deciding.SetTag("kes.aggregate.id", command.AggregateId.IsDefault ? command.KeyText : command.AggregateId.Value);
        deciding.SetTag("kes.command.type", command.Payload?.GetType().Name);
        return deciding;
    }
}
