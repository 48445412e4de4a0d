namespace KafkaEventSourcing.Projections.Tests;

public sealed record Added(int By);

public sealed record Cleared;

public sealed record Unread;

public sealed record Total(string Id, long Sum, int Events);

public sealed record Entry(string Id, int By);

public sealed record Day(string Id, long Sum);

/// <summary>A read model of each kind over the same events.</summary>
internal static class Tally
{
    public static readonly ProjectionDefinition<Total> Totals = ProjectionDefinition.Define<Total>("totals")
        .Folds<Added>((total, added, r) =>
            total is null ? new(r.AggregateId.Value, added.By, 1) : new(total.Id, total.Sum + added.By, total.Events + 1))
        .Deletes<Cleared>()
        .Index(t => t.Sum)
        .Build();

    public static readonly ProjectionDefinition<Entry> Entries = ProjectionDefinition.Define<Entry>("entries")
        .Inserts<Added>((added, r) => new($"{r.AggregateId}/{r.Version}", added.By))
        .Build();

    public static readonly ProjectionDefinition<Day> Days = ProjectionDefinition.Define<Day>("days")
        .Sums<Added>((added, r) => new($"{r.Time:yyyy-MM-dd}", added.By))
        .Adding((a, b) => a with { Sum = a.Sum + b.Sum })
        .Index(i => i.Ascending(d => d.Sum).Descending(d => d.Id))
        .Build();

    public static readonly ProjectionDefinition[] All = [Totals, Entries, Days];

    public static RecordedEvent Event(int partition, long offset, string aggregate, long version, object payload) => new()
    {
        AggregateId = AggregateId.Parse(aggregate),
        Version = version,
        Payload = payload,
        Partition = partition,
        Offset = offset,
        Time = DateTimeOffset.UnixEpoch.AddDays(offset % 3),
        CommandId = CommandId.Parse($"{partition}-{offset}"),
    };
}

internal static class ProjectionEngineExtensions
{
    /// <summary>A batch of a reader that began at the start.</summary>
    public static Task Project(this ProjectionEngine engine, int partition, IReadOnlyList<RecordedEvent> events, long nextOffset,
        CancellationToken cancellationToken) =>
        engine.ProjectAsync(partition, 0, events, nextOffset, cancellationToken);

    public static async Task<long?> NextOf(this IProjectionStore store, ProjectionDefinition projection, EventPartition partition,
        CancellationToken cancellationToken) =>
        (await store.LoadCheckpointAsync(projection, partition, cancellationToken))?.NextOffset;
}
