namespace KafkaEventSourcing.Subscriptions;

/// <summary>Where a subscription begins when it is new.</summary>
public sealed record SubscriptionStart
{
    private SubscriptionStart(DateTimeOffset? time, bool isNow) => (Time, IsNow) = (time, isNow);

    /// <summary>At the first event.</summary>
    public static SubscriptionStart Beginning { get; } = new(null, false);

    /// <summary>Behind what is in the log when its first node starts.</summary>
    public static SubscriptionStart Now { get; } = new(null, true);

    internal DateTimeOffset? Time { get; }

    internal bool IsNow { get; }

    /// <summary>
    /// At the first event that was appended at <paramref name="time"/> or later, by the clock of the record in the log. A node with a new
    /// subscription whose time is in the future does not start.
    /// </summary>
    public static SubscriptionStart At(DateTimeOffset time) => new(time, false);
}
