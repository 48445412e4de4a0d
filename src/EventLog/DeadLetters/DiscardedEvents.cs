using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// The records of an events topic that an operator has discarded: those that are none of its events, and events that nobody can read. Every
/// reader passes over them, also one whose code could read them: what an event did is the same for all, or nothing. The calls block.
/// Thread-safe.
/// </summary>
public sealed class DiscardedEvents
{
    private readonly DeadLetterReader _letters;
    private readonly TopicFamily _topics;

    /// <summary>Those of the events of <paramref name="topics"/>.</summary>
    public DiscardedEvents(KafkaConnection connection, TopicFamily topics) =>
        (_letters, _topics) = (new DeadLetterReader(connection, topics.DeadLetters), topics);

    internal DiscardedEvents(IRecordSource source, TopicFamily topics) =>
        (_letters, _topics) = (new DeadLetterReader(source, topics.DeadLetters), topics);

    /// <summary>
    /// Those of <paramref name="partition"/> with who has discarded them and why, by offset; all letters of the partition are read.
    /// </summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public IReadOnlyDictionary<long, DeadLetterResolution> Of(int partition, CancellationToken cancellationToken)
    {
        var discarded = new Dictionary<long, DeadLetterResolution>();
        try
        {
            foreach (DeadLetter letter in _letters.Read(partition, 0, withResolved: true, static _ => { }, cancellationToken))
            {
                if (letter.OriginTopic == _topics.Events && letter.Resolution is { IsDiscarded: true } resolution)
                    discarded[letter.OriginOffset] = resolution;
            }
        }
        catch (KafkaException none) when (none.Error.Code is ErrorCode.UnknownTopicOrPart or ErrorCode.Local_UnknownTopic
            or ErrorCode.Local_UnknownPartition)
        {
            // Events without a topic for dead letters: nothing of theirs was ever discarded.
        }

        return discarded;
    }
}
