using Confluent.Kafka;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>The ids of the topics that a partition's state and place come from.</summary>
internal sealed record TopicIdentities(TopicId Commands, TopicId Events, TopicId Snapshots, TopicId DeadLetters, TopicId Timers)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);
    private static readonly TopicIdentities Unknown = new(default, default, default, default, default);

    /// <summary>The ids as they are now; blocks.</summary>
    /// <exception cref="KafkaException">The cluster does not answer, or a topic is not there.</exception>
    public static TopicIdentities Ask(PartitionContext context, CancellationToken cancellationToken)
    {
        using IAdminClient admin = new DependentAdminClientBuilder(context.Consumer.Handle).Build();
        string[] names = NamesOf(context);
        // callers have a thread of their own
        IReadOnlyDictionary<string, TopicId> ids = TopicIds.OfAsync(admin, names, Patience, cancellationToken).GetAwaiter().GetResult();
        return Array.Find(names, n => !ids.ContainsKey(n)) is { } missing
            ? throw new KafkaException(new Error(ErrorCode.UnknownTopicOrPart, $"The topic {missing} is not there."))
            : From(context.Topics, ids);
    }

    public static string[] NamesOf(PartitionContext context)
    {
        TopicFamily topics = context.Topics;
        return [topics.Commands, topics.Events, topics.Snapshots, topics.DeadLetters,
            .. context.Definition.Reacts ? [topics.Timers] : Array.Empty<string>()];
    }

    public static TopicIdentities From(TopicFamily topics, IReadOnlyDictionary<string, TopicId> ids) => new(
        ids.GetValueOrDefault(topics.Commands), ids.GetValueOrDefault(topics.Events), ids.GetValueOrDefault(topics.Snapshots),
        ids.GetValueOrDefault(topics.DeadLetters), ids.GetValueOrDefault(topics.Timers));

    public static TopicIdentities From(PartitionPosition position) =>
        new(Read(position.CommandsTopic), Read(position.EventsTopic), default, Read(position.DeadLettersTopic), Read(position.TimersTopic));

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    public static TopicIdentities Parse(string text) =>
        text.Split(',') is [var commands, var events, var snapshots, var deadLetters, var timers]
            ? new(Read(commands), Read(events), Read(snapshots), Read(deadLetters), Read(timers))
            : Unknown;

    /// <summary>Without the dead letters unless there are any: nothing rests on a topic that is empty.</summary>
    public TopicIdentities With(bool deadLetters) => deadLetters ? this : this with { DeadLetters = default };

    public PartitionPosition At(long nextCommand, long nextEvent) => new()
    {
        CommandsTopic = Commands.ToString(),
        NextCommandOffset = nextCommand,
        EventsTopic = Events.ToString(),
        NextEventOffset = nextEvent,
        DeadLettersTopic = DeadLetters.ToString(),
        TimersTopic = Timers.ToString(),
    };

    /// <summary>
    /// Compares topics whose records a state rests on with those that are there now: a state that was made from other ones must not go on.
    /// </summary>
    /// <exception cref="UnexpectedLogException">A topic was made again.</exception>
    public void Check(TopicIdentities now, TopicFamily topics, int partition, string what)
    {
        Check(Events, now.Events, topics.Events);
        Check(DeadLetters, now.DeadLetters, topics.DeadLetters);
        Check(Timers, now.Timers, topics.Timers);

        void Check(TopicId then, TopicId id, string topic)
        {
            if (then.Differs(id))
            {
                throw new UnexpectedLogException(topic,
                    $"The topic {topic} has the id {id}, and {what} of partition {partition} is of the one with the id {then}: it was "
                        + $"deleted and made again.");
            }
        }
    }

    public override string ToString() => string.Join(',', Commands, Events, Snapshots, DeadLetters, Timers);

    private static TopicId Read(string text) => TopicId.TryParse(text, out TopicId id) ? id : default;
}
