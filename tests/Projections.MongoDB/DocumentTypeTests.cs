using KafkaEventSourcing.Embedded.MongoDB;
using KafkaEventSourcing.Projections.Tests;
using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Bson;
using MongoDB.Bson.Serialization.Attributes;
using MongoDB.Driver;

namespace KafkaEventSourcing.Projections.MongoDB.Tests;

public sealed class DocumentTypeTests : IAsyncLifetime
{
    private EmbeddedMongoDB _server = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _server = await EmbeddedMongoDB.StartAsync(new EmbeddedMongoDBOptions(),
        cancellationToken: Cancellation);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    // A Guid in a document: the node did not start.
    [Fact]
    public async Task Values_of_all_plain_types_are_stored_read_back_and_sorted_as_they_compare()
    {
        var random = new Random(3);
        Rich[] documents = [.. Enumerable.Range(0, 40).Select(i => Sample(i, random))];
        ProjectionDefinition<Rich> projection = Rich.Projection(documents);
        ReadModelDocuments.Check(projection, documents[0]);
        using var store = new MongoProjectionStore(
            new MongoProjectionOptions { ConnectionString = _server.ConnectionString, Database = "types" }, TimeProvider.System,
            NullLogger<MongoProjectionStore>.Instance);
        await store.PrepareAsync([projection], Cancellation);
        await using (var engine = new ProjectionEngine([projection], store, new ProjectionEngineOptions(),
            NullLogger<ProjectionEngine>.Instance))
            await engine.ProjectAsync(0, 0, [.. documents.Select((_, i) => Tally.Event(0, i, $"a{i}", 1, new Added(i)))], documents.Length,
                Cancellation);

        IReadOnlyDictionary<string, StoredDocument<Rich>> stored = await store.LoadAsync(projection, [.. documents.Select(d => d.Id)],
            Cancellation);
        foreach (Rich document in documents)
            ReadModelDocuments.ToBson(projection, stored[document.Id].Document!).ShouldBe(ReadModelDocuments.ToBson(projection, document));

        await ShouldSort("key", d => d.Key);
        await ShouldSort("maybe", d => d.Maybe);
        await ShouldSort("day", d => d.Day);
        await ShouldSort("time", d => d.Time);
        await ShouldSort("span", d => d.Span);
        await ShouldSort("at", d => d.At);
        await ShouldSort("amount", d => d.Amount);
        await ShouldSort("small", d => d.Small);
        await ShouldSort("large", d => d.Large);
        await ShouldSort("maybeDay", d => d.MaybeDay);
        await ShouldSort("maybeTime", d => d.MaybeTime);
        await ShouldSort("maybeSpan", d => d.MaybeSpan);
        await ShouldSort("maybeAmount", d => d.MaybeAmount);
        await ShouldSort("local", d => d.Local);

        async Task ShouldSort<TValue>(string field, Func<Rich, TValue> value)
        {
            IMongoCollection<BsonDocument> collection = store.Database.GetCollection<BsonDocument>("rich");
            List<BsonDocument> sorted = await collection.Find("{}").Sort(new BsonDocument { { field, 1 }, { "_id", 1 } }).ToListAsync(
                Cancellation);
            sorted.Select(d => d["_id"].AsString).ShouldBe(
                documents.OrderBy(value).ThenBy(d => d.Id, StringComparer.Ordinal).Select(d => d.Id), field);
        }
    }

    [Fact]
    public void Values_are_in_the_types_that_are_documented()
    {
        BsonDocument stored = ReadModelDocuments.ToBson(Rich.Projection([]), Sample(1, new Random(1)));
        stored["key"].AsBsonBinaryData.SubType.ShouldBe(BsonBinarySubType.UuidStandard);
        stored["keys"].AsBsonArray[0].AsBsonBinaryData.SubType.ShouldBe(BsonBinarySubType.UuidStandard);
        stored["byKey"].AsBsonDocument.GetElement(0).Name.Length.ShouldBe(36);
        stored["byNumber"].AsBsonDocument.GetElement(0).Name.ShouldBe("7");
        stored["byWeekday"].AsBsonDocument.GetElement(0).Name.ShouldBe("Monday");
        stored["inner"]["_id"].AsBsonBinaryData.SubType.ShouldBe(BsonBinarySubType.UuidStandard);
        stored.Select(e => $"{e.Name} {e.Value.BsonType}").ShouldBe(
        [
            "_id String", "key Binary", "maybe Binary", "day DateTime", "time Int64", "span Int64", "at DateTime", "amount Decimal128",
            "small Int64", "large Decimal128", "weekday String", "link String",
            "inner Document", "keys Array", "byKey Document", "byNumber Document", "byWeekday Document", "maybeDay DateTime",
            "maybeTime Int64", "maybeSpan Int64", "maybeAmount Decimal128", "maybeWeekday String", "local DateTime",
        ]);
    }

    // The driver takes it for a time of the machine's zone: nodes in other zones stored another one.
    [Fact]
    public void Time_without_a_zone_is_stored_as_it_is()
    {
        var local = new DateTime(2026, 7, 1, 12, 0, 0);
        ReadModelDocuments.ToBson(Rich.Projection([]), Sample(1, new Random(1)) with { Local = local })["local"].ToUniversalTime().ShouldBe(
            DateTime.SpecifyKind(local, DateTimeKind.Utc));
    }

    // What has no namespace kept the driver's own ways: names in upper case, enums as numbers, a Guid that could not be stored.
    [Fact]
    public void Document_without_a_namespace_is_stored_as_others_are()
    {
        ProjectionDefinition projection = ProjectionDefinition.Define<DocumentWithoutNamespace>("bare").Inserts<Added>((_, _) => null!)
            .Index(d => d.Part.Key).Build();
        var document = new DocumentWithoutNamespace("1", DayOfWeek.Friday, new PartWithoutNamespace(Guid.Empty), [new(Guid.Empty)]);
        ReadModelDocuments.Check(projection, document);
        BsonDocument stored = ReadModelDocuments.ToBson(projection, document);
        stored.Select(e => $"{e.Name} {e.Value.BsonType}").ShouldBe(["_id String", "weekday String", "part Document", "parts Array"]);
        stored["part"]["key"].AsBsonBinaryData.SubType.ShouldBe(BsonBinarySubType.UuidStandard);
        stored["parts"][0]["key"].AsBsonBinaryData.SubType.ShouldBe(BsonBinarySubType.UuidStandard);
        MongoIndex.Of(projection).ShouldHaveSingleItem().Fields.ShouldBe(["part.key"]);
    }

    [Fact]
    public async Task Sum_adds_spans_and_leaves_times_of_day()
    {
        ProjectionDefinition<Worked> projection = ProjectionDefinition.Define<Worked>("worked")
            .Sums<Added>((a, _) => new Worked { Id = "w", Spent = TimeSpan.FromMinutes(a.By), Begins = new TimeOnly(8, 0), Cost = 1.5m })
            .Adding((a, b) => a with { Spent = a.Spent + b.Spent, Cost = a.Cost + b.Cost })
            .Build();
        using var store = new MongoProjectionStore(
            new MongoProjectionOptions { ConnectionString = _server.ConnectionString, Database = "sums" }, TimeProvider.System,
            NullLogger<MongoProjectionStore>.Instance);
        await using var engine = new ProjectionEngine([projection], store, new ProjectionEngineOptions(),
            NullLogger<ProjectionEngine>.Instance);
        await engine.ProjectAsync(0, 0, [Tally.Event(0, 0, "a", 1, new Added(30))], 1, Cancellation);
        await engine.ProjectAsync(0, 1, [Tally.Event(0, 1, "a", 2, new Added(45))], 2, Cancellation);
        (await store.LoadAsync(projection, ["w"], Cancellation))["w"].Document.ShouldBe(
            new Worked { Id = "w", Spent = TimeSpan.FromMinutes(75), Begins = new TimeOnly(8, 0), Cost = 3m });
    }

    [Fact]
    public void Attribute_of_the_driver_goes_first() =>
        ReadModelDocuments.ToBson(ProjectionDefinition.Define<Textual>("textual").Inserts<Added>((_, _) => null!).Build(),
            new Textual { Id = "1", Key = Guid.Empty })["key"].BsonType.ShouldBe(BsonType.String);

    [Fact]
    public void Type_that_cannot_be_stored_is_refused_with_the_name_of_the_property()
    {
        ProjectionDefinition unusable = ProjectionDefinition.Define<Unusable>("unusable").Inserts<Added>((_, _) => null!).Build();
        string message = Should.Throw<InvalidOperationException>(() =>
            ReadModelDocuments.Check(unusable, new Unusable { Id = "1", Pairs = new() { [new Inner(1, Guid.Empty)] = 1 } })).Message;
        message.ShouldContain("The document type Unusable of the read model 'unusable', property Pairs");
        Should.Throw<InvalidOperationException>(() => ProjectionDefinition.Define<Keyless>("keyless")).Message.ShouldContain(
            "needs a property 'Id' of type string");
    }

    private static Rich Sample(int i, Random random) => new()
    {
        Id = $"r{i:D2}",
        Key = new Guid([.. Enumerable.Range(0, 16).Select(_ => (byte)random.Next(256))]),
        Maybe = random.Next(4) == 0 ? null : new Guid([.. Enumerable.Range(0, 16).Select(_ => (byte)random.Next(256))]),
        Day = new DateOnly(1960 + random.Next(100), 1 + random.Next(12), 1),
        Time = new TimeOnly(random.NextInt64(TimeSpan.TicksPerDay)),
        Span = TimeSpan.FromTicks(random.NextInt64(-TimeSpan.TicksPerDay * 40, TimeSpan.TicksPerDay * 40)),
        At = new DateTimeOffset(2026, 1, 1, random.Next(24), 0, 0, TimeSpan.FromHours(random.Next(-11, 12))),
        Amount = random.Next(-100_000, 100_000) / 100m,
        Small = (uint)random.NextInt64(uint.MaxValue),
        Large = (ulong)random.NextInt64() * 2,
        Weekday = DayOfWeek.Friday,
        Link = new Uri("https://example.org/a"),
        Inner = new Inner(i, Guid.CreateVersion7()),
        Keys = [Guid.CreateVersion7()],
        ByKey = new() { [Guid.CreateVersion7()] = 1 },
        ByNumber = new() { [7] = 1m },
        ByWeekday = new() { [DayOfWeek.Monday] = Guid.CreateVersion7() },
        MaybeDay = i % 4 == 2 ? null : new DateOnly(1960 + random.Next(100), 1 + random.Next(12), 1),
        MaybeTime = i % 4 == 2 ? null : new TimeOnly(random.NextInt64(TimeSpan.TicksPerDay)),
        MaybeSpan = i % 4 == 2 ? null : TimeSpan.FromTicks(random.NextInt64(-TimeSpan.TicksPerDay, TimeSpan.TicksPerDay)),
        MaybeAmount = i % 4 == 2 ? null : random.Next(-100_000, 100_000) / 100m,
        MaybeWeekday = DayOfWeek.Friday,
        Local = new DateTime(2026, 3, 1 + random.Next(31), random.Next(24), 0, 0),
    };

    public sealed record Inner(int Number, Guid Id);

    public sealed record Rich
    {
        public required string Id { get; init; }

        public Guid Key { get; init; }

        public Guid? Maybe { get; init; }

        public DateOnly Day { get; init; }

        public TimeOnly Time { get; init; }

        public TimeSpan Span { get; init; }

        public DateTimeOffset At { get; init; }

        public decimal Amount { get; init; }

        public uint Small { get; init; }

        public ulong Large { get; init; }

        public DayOfWeek Weekday { get; init; }

        public Uri? Link { get; init; }

        public Inner? Inner { get; init; }

        public List<Guid> Keys { get; init; } = [];

        public Dictionary<Guid, int> ByKey { get; init; } = [];

        public Dictionary<int, decimal> ByNumber { get; init; } = [];

        public Dictionary<DayOfWeek, Guid> ByWeekday { get; init; } = [];

        public DateOnly? MaybeDay { get; init; }

        public TimeOnly? MaybeTime { get; init; }

        public TimeSpan? MaybeSpan { get; init; }

        public decimal? MaybeAmount { get; init; }

        public DayOfWeek? MaybeWeekday { get; init; }

        public DateTime Local { get; init; }

        public static ProjectionDefinition<Rich> Projection(Rich[] documents) => ProjectionDefinition.Define<Rich>("rich")
            .Inserts<Added>((a, _) => documents[a.By]).Build();
    }

    public sealed record Worked
    {
        public required string Id { get; init; }

        public TimeSpan Spent { get; init; }

        public TimeOnly Begins { get; init; }

        public decimal Cost { get; init; }
    }

    public sealed record Textual
    {
        public required string Id { get; init; }

        [BsonRepresentation(BsonType.String)]
        public Guid Key { get; init; }
    }

    public sealed record Unusable
    {
        public required string Id { get; init; }

        public Dictionary<Inner, int> Pairs { get; init; } = [];
    }

    public sealed record Keyless;
}
