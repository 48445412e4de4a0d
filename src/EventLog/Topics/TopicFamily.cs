namespace KafkaEventSourcing.EventLog;

/// <summary>The topics of one aggregate type: <c>application.aggregate.commands</c> and so on.</summary>
/// <param name="Application">The application's name.</param>
/// <param name="Aggregate">The aggregate type's name.</param>
public sealed record TopicFamily(string Application, string Aggregate)
{
    internal const string CommandsSuffix = ".commands";
    internal const string EventsSuffix = ".events";
    internal const string SubscriptionInfix = ".subscription.";

    /// <summary>Commands, keyed by aggregate id.</summary>
    public string Commands { get; } = Application + "." + Aggregate + CommandsSuffix;

    /// <summary>Events, keyed by aggregate id: the source of truth.</summary>
    public string Events { get; } = Application + "." + Aggregate + EventsSuffix;

    /// <summary>Snapshots, keyed by aggregate id; compacted.</summary>
    public string Snapshots { get; } = $"{Application}.{Aggregate}.snapshots";

    /// <summary>Replies to commands, keyed by aggregate id; short-lived.</summary>
    public string Replies { get; } = $"{Application}.{Aggregate}.replies";

    /// <summary>Who owns each partition, keyed by its number; compacted.</summary>
    public string Owners { get; } = $"{Application}.{Aggregate}.owners";

    /// <summary>Of a process: its timers that are set, keyed by name and id; compacted.</summary>
    public string Timers { get; } = $"{Application}.{Aggregate}.timers";

    /// <summary>Records that could not be processed.</summary>
    public string DeadLetters { get; } = $"{Application}.{Aggregate}.dead-letters";

    /// <summary>The names of the subscriptions to its events; each has a topic of its own. Default: none.</summary>
    public IReadOnlyList<string> Subscriptions { get; init; } = [];

    /// <summary>The consumer group of the nodes.</summary>
    internal string Group => $"{Application}-{Aggregate}";

    /// <summary>The consumer group of their read models.</summary>
    internal string ProjectionsGroup => $"{Group}-projections";

    /// <summary>All consumer groups of an application's nodes.</summary>
    internal IReadOnlyList<string> Groups => [Group, ProjectionsGroup];

    /// <summary>
    /// What the subscription <paramref name="name"/> keeps of the events: its positions and its parked aggregates, in the partitions of the
    /// events; compacted.
    /// </summary>
    public string Subscription(string name) => $"{Application}.{Aggregate}{SubscriptionInfix}{name}";

    /// <summary>
    /// The topics in which a key lies on one partition number, so that they have one partition count; a process has timers besides.
    /// </summary>
    internal IReadOnlyList<string> Keyed(bool isProcess) =>
        [Commands, Events, Snapshots, Owners, DeadLetters, .. isProcess ? (string[])[Timers] : [], .. Subscriptions.Select(Subscription)];

    /// <summary>All topics of an aggregate type; a process has timers besides.</summary>
    internal IReadOnlyList<string> All(bool isProcess) => [.. Keyed(isProcess), Replies];
}
