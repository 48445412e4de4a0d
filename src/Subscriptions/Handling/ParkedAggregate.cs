using System.Text.Json.Serialization;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>
/// An aggregate whose events a subscription does not handle until somebody resolves it: from the event that failed on, all that are for the
/// subscription wait. The subscription's topic has it under the aggregate's id.
/// </summary>
internal sealed record ParkedAggregate
{
    /// <summary>The aggregate's id.</summary>
    public required string AggregateId { get; init; }

    /// <summary>The id of the events topic; empty where the cluster has no topic ids.</summary>
    public required string TopicId { get; init; }

    /// <summary>The partition of the events topic.</summary>
    public required int Partition { get; init; }

    /// <summary>The offset of the first event that waits.</summary>
    public required long Offset { get; init; }

    /// <summary>The version of the aggregate after that event.</summary>
    public required long Version { get; init; }

    /// <summary>The event's id, as its headers have it.</summary>
    public required string EventId { get; init; }

    /// <summary>The event's type.</summary>
    public required string EventType { get; init; }

    /// <summary>How often the event was handed over in all.</summary>
    public required int Attempts { get; init; }

    /// <summary>What the last attempt failed with.</summary>
    public required string Error { get; init; }

    /// <summary>When the aggregate was parked, UTC.</summary>
    public required DateTimeOffset Since { get; init; }

    /// <summary>When it was tried last, UTC.</summary>
    public required DateTimeOffset LastAttempt { get; init; }

    /// <summary>The <see cref="SubscriptionOptions.Revision"/> of the handlers that failed last.</summary>
    public required int Revision { get; init; }
}

/// <summary>An event that a subscription has passed over, as somebody asked for it.</summary>
internal sealed record SkippedEvent
{
    /// <summary>The event as it was parked.</summary>
    public required ParkedAggregate Event { get; init; }

    /// <summary>Who asked.</summary>
    public required string By { get; init; }

    /// <summary>Why.</summary>
    public required string Reason { get; init; }

    /// <summary>When, UTC.</summary>
    public required DateTimeOffset Time { get; init; }
}

/// <summary>
/// What an operator asks of a parked aggregate. It is a record of the subscription's topic, in the partition of the aggregate, until its
/// owner has done it.
/// </summary>
internal sealed record SubscriptionRequest
{
    /// <summary>Names the request.</summary>
    public required string Id { get; init; }

    /// <summary>The aggregate.</summary>
    public required string AggregateId { get; init; }

    /// <summary>Whether the event at <see cref="Offset"/> is to be passed over; else all are handled from the first on.</summary>
    public required bool IsSkip { get; init; }

    /// <summary>Of a skip: the offset of the event, which must be the first that waits.</summary>
    public long Offset { get; init; }

    /// <summary>Who asks.</summary>
    public required string By { get; init; }

    /// <summary>Of a skip: why.</summary>
    public string? Reason { get; init; }
}

/// <summary>What became of a request.</summary>
/// <param name="IsDone">Whether the aggregate is parked no more.</param>
/// <param name="Handled">How many events were handled.</param>
/// <param name="Message">What there is to say: why not, or where it is parked now.</param>
internal sealed record SubscriptionAnswer(bool IsDone, long Handled, string? Message);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ParkedAggregate))]
[JsonSerializable(typeof(SkippedEvent))]
[JsonSerializable(typeof(SubscriptionRequest))]
[JsonSerializable(typeof(SubscriptionAnswer))]
internal sealed partial class LedgerJson : JsonSerializerContext;
