namespace KafkaEventSourcing.Streamiz;

/// <summary>What an event adds to a total.</summary>
public readonly record struct TotalEntry
{
    /// <summary>Adds <paramref name="amount"/> to the total of <paramref name="key"/> in the window of <paramref name="time"/>.</summary>
    public TotalEntry(string key, long amount, DateTimeOffset time) => (Key, Amount, Time) = (key, amount, time);

    /// <summary>
    /// Adds <paramref name="amount"/> to the total of <paramref name="key"/> in the window of <paramref name="day"/>, which is one of the
    /// totals' time zone.
    /// </summary>
    public TotalEntry(string key, long amount, DateOnly day) => (Key, Amount, Day) = (key, amount, day);

    /// <summary>What is added up by.</summary>
    public string Key { get; }

    /// <summary>What is added; it may be negative.</summary>
    public long Amount { get; }

    /// <summary>When it was; null: <see cref="Day"/> says it.</summary>
    public DateTimeOffset? Time { get; }

    /// <summary>On which day it was; null: <see cref="Time"/> says when.</summary>
    public DateOnly? Day { get; }
}
