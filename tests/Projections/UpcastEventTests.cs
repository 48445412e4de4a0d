namespace KafkaEventSourcing.Projections.Tests;

/// <summary>Events of the log that are upcast to several: a read model has all of one, or none.</summary>
public class UpcastEventTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    private static readonly ProjectionDefinition<Entry> Parts = ProjectionDefinition.Define<Entry>("parts")
        .Inserts<Added>((added, r) => new($"{r.AggregateId}/{r.Version}/{r.Part}", added.By))
        .Build();

    private static readonly ProjectionDefinition<Total> ByPart = ProjectionDefinition.Define<Total>("by-part")
        .Key(r => $"{r.AggregateId}/{r.Version}/{r.Part}")
        .Folds<Added>((total, added, r) => new($"{r.AggregateId}/{r.Version}/{r.Part}", (total?.Sum ?? 0) + added.By, 1))
        .Build();

    private static readonly ProjectionDefinition<Day> Sums = ProjectionDefinition.Define<Day>("sums")
        .Sums<Added>((added, r) => new($"{r.AggregateId}/{r.Version}/{r.Part}", added.By))
        .Adding((a, b) => a with { Sum = a.Sum + b.Sum })
        .Build();

    // A transaction that has documents enough ended wherever it was, and its checkpoint is the offset of the next event: that of an event
    // half of which it had. The rest was never folded.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Fold_with_documents_enough_ends_between_events_of_the_log(int kind)
    {
        ProjectionDefinition projection = ((ProjectionDefinition[])[Parts, ByPart, Sums])[kind];
        ProjectionFold fold = projection.StartFold(1_000_000);
        RecordedEvent[] events = [.. Enumerable.Range(0, 4).SelectMany(i =>
            Split(i, "a", i + 1, new Added(1), new Added(2), new Added(3)))];
        (DocumentChanges changes, int taken) = await fold.Fold(events, 4, new InMemoryProjectionStore(), None);
        (changes.Count, taken).ShouldBe((6, 6)); // the second is begun, and ends
        (changes, taken) = await fold.Fold(new ArraySegment<RecordedEvent>(events)[3..], 3, new InMemoryProjectionStore(), None);
        (changes.Count, taken).ShouldBe((3, 3));
    }

    // Only the last of three is of a type that the projection reads: none would have begun an event, and none ended the transaction.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Fold_with_documents_enough_ends_before_an_event_of_which_it_would_read_a_later_part(int kind)
    {
        ProjectionDefinition projection = ((ProjectionDefinition[])[Parts, ByPart, Sums])[kind];
        RecordedEvent[] events = [.. Enumerable.Range(0, 9).SelectMany(i =>
            Split(i, "a", i + 1, new Unread(), new Unread(), new Added(3)))];
        (DocumentChanges changes, int taken) = await projection.StartFold(1_000_000).Fold(events, 4, new InMemoryProjectionStore(), None);
        (changes.Count, taken).ShouldBe((4, 12));
    }

    [Fact]
    public async Task Project_writes_all_parts_of_an_event_in_the_transaction_that_moves_the_checkpoint_past_it()
    {
        const int events = 50;
        var store = new InMemoryProjectionStore();
        await using ProjectionEngine engine = new([Parts], store, new ProjectionEngineOptions(),
            Microsoft.Extensions.Logging.Abstractions.NullLogger<ProjectionEngine>.Instance);
        var seen = new List<(int Documents, long? Next)>();
        store.AfterCommit = () =>
            seen.Add((store.Documents("parts").Count, store.NextOf(Parts, 0, None).GetAwaiter().GetResult()));
        await engine.Project(0, [.. Enumerable.Range(0, events).SelectMany(i =>
            Split(2 * i, "a", i + 1, new Added(1), new Added(2), new Added(3)))], 2 * events, None);

        seen.Count.ShouldBeGreaterThan(1);
        seen.ShouldAllBe(s => s.Documents == 3 * (s.Next / 2));
        store.Documents("parts").Count.ShouldBe(3 * events);
    }

    private static IEnumerable<RecordedEvent> Split(long offset, string aggregate, long version, params object[] parts) =>
        parts.Select((payload, part) => new RecordedEvent
        {
            AggregateId = AggregateId.Parse(aggregate),
            Version = version,
            Payload = payload,
            Part = part,
            Parts = parts.Length,
            Partition = 0,
            Offset = offset,
            Time = DateTimeOffset.UnixEpoch,
            CommandId = CommandId.Parse($"c-{offset}"),
        });
}
