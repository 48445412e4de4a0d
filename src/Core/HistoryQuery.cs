namespace KafkaEventSourcing;

/// <summary>Which events of an aggregate a <see cref="HistoryPage"/> has.</summary>
public sealed record HistoryQuery
{
    /// <summary>The most events that a page can be asked for: 1,000.</summary>
    public const int MaxLimit = 1_000;

    /// <summary>The version that the page begins with. Null, the default: the first, or, in descending order, the newest.</summary>
    public long? From { get; init; }

    /// <summary>
    /// The most events, from 1 to <see cref="MaxLimit"/>; default 100. A page ends earlier when its events are large.
    /// </summary>
    public int Limit { get; init; } = 100;

    /// <summary>Whether the newest event comes first. Default false.</summary>
    public bool IsDescending { get; init; }

    /// <summary>What the read promises; default <see cref="ReadConsistency.Strong"/>. The owner answers in either case.</summary>
    public ReadConsistency Consistency { get; init; }

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidInputException">One is out of range; the message names it.</exception>
    public void Validate()
    {
        if (From < 1)
            throw new InvalidInputException("from", $"from is {From}; versions begin at 1.");
        if (Limit is < 1 or > MaxLimit)
            throw new InvalidInputException("limit", $"limit is {Limit}; it must be from 1 to {MaxLimit}.");
    }
}
