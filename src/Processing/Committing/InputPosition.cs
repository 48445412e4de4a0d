using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>Where a partition goes on in its command topic, and why there.</summary>
/// <param name="Start">The offset of the next command.</param>
/// <param name="Reason">Why.</param>
/// <param name="Due">The offset that was due: when it is before <paramref name="Start"/>, the commands between are lost.</param>
internal readonly record struct InputPosition(long Start, InputPositionReason Reason, long Due)
{
    /// <summary>How many offsets of commands that were not decided are gone.</summary>
    public long Lost => Start - Due;

    /// <summary>
    /// Compares what is known. The mark was committed with what the commands led to, so no command before it is decided again. An offset
    /// that the group has committed beyond it is of a version of this software that wrote no marks, or somebody has moved it there: then it
    /// counts.
    /// </summary>
    /// <param name="topic">The id of the command topic.</param>
    /// <param name="marks">The newest marks of each source, of whatever topic.</param>
    /// <param name="committed">What the group has committed; null: nothing (any more).</param>
    /// <param name="low">The first offset that the partition has.</param>
    /// <param name="high">Its end.</param>
    /// <param name="name">The topic's name, with the partition.</param>
    /// <exception cref="UnexpectedLogException">The partition ends before what was decided already.</exception>
    public static InputPosition Find(TopicId topic, ReadOnlySpan<InputMark?> marks, long? committed, long low, long high, string name)
    {
        InputMark? mark = InputMark.Farthest(topic, marks);
        bool isAnother = mark is null && IsAny(marks);
        (long due, InputPositionReason reason) = (mark, committed) switch
        {
            (null, _) when isAnother => (0, InputPositionReason.TopicMadeAgain),
            (null, null) => (low, InputPositionReason.FirstStart),
            (null, { } only) => (only, InputPositionReason.Committed),
            ({ } only, null) => (only.Next, InputPositionReason.CommittedMissing),
            ({ } known, { } offset) when offset < known.Next => (known.Next, InputPositionReason.CommittedBehind),
            ({ } known, { } offset) when offset > known.Next => (offset, InputPositionReason.CommittedAhead),
            (_, { } same) => (same, InputPositionReason.Committed),
        };
        return due > high
            ? throw new UnexpectedLogException(name,
                $"The topic {name} ends at offset {high}, and its commands are decided up to {due}: it has lost records. What comes there "
                    + $"now would be taken as decided already.")
            : new InputPosition(Math.Max(due, low), reason, due);
    }

    private static bool IsAny(ReadOnlySpan<InputMark?> marks)
    {
        foreach (InputMark? mark in marks)
        {
            if (mark is not null)
                return true;
        }

        return false;
    }
}

/// <summary>Why a partition goes on where it does.</summary>
internal enum InputPositionReason
{
    /// <summary>The group has committed it, as the mark says, or there is no mark yet.</summary>
    Committed,

    /// <summary>Nothing was decided here before.</summary>
    FirstStart,

    /// <summary>The group's offset is gone; the mark is not.</summary>
    CommittedMissing,

    /// <summary>The group's offset is behind the mark.</summary>
    CommittedBehind,

    /// <summary>The group's offset is beyond the mark.</summary>
    CommittedAhead,

    /// <summary>The command topic is another one than before; its commands are all new.</summary>
    TopicMadeAgain,
}
