using KafkaEventSourcing.Projections.Tests;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Projections.MongoDB.Tests;

/// <summary>
/// A definition that differs from the one that the documents were folded with is told at the start; it was not, and old documents of the
/// old shape stayed beside new ones.
/// </summary>
public sealed class ReadModelShapeTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Start_with_another_definition_warns_until_the_read_model_is_built_anew()
    {
        await using TestServers servers = await ServersOrSkip.Start(Cancellation);
        string database = TestServers.UniqueName("shape");
        await Fold(Before.Definition);
        (await Warnings(Before.Definition)).ShouldBeEmpty();

        string warning = (await Warnings(After.Definition)).ShouldHaveSingleItem();
        warning.ShouldContain("The read model revenue is defined otherwise than when its documents were folded "
            + "(new: event KafkaEventSourcing.Projections.Tests.Cleared, field currency: String, field parts.share: Int64, field parts: "
            + "IReadOnlyList<Part>).");
        warning.ShouldContain("db.checkpoints.deleteMany({_id: /^revenue($|\\/)/})");
        (await Warnings(After.Definition)).ShouldHaveSingleItem("It is told once only, and whoever missed that start never knows.");
        (await Warnings(Before.Definition)).ShouldBeEmpty("A version that warns has changed nothing: the one before may run on.");

        using (MongoProjectionStore store = NewStore(new WarningLog()))
        {
            await store.Database.GetCollection<global::MongoDB.Bson.BsonDocument>("checkpoints").DeleteManyAsync(
                global::MongoDB.Bson.BsonDocument.Parse("{ _id: /^revenue($|\\/)/ }"), Cancellation);
        }

        await Fold(After.Definition);
        (await Warnings(After.Definition)).ShouldBeEmpty();

        MongoProjectionStore NewStore(ILogger<MongoProjectionStore> logger) =>
            new(new MongoProjectionOptions { ConnectionString = servers.Addresses.MongoDB!, Database = database },
                TimeProvider.System, logger);

        async Task<IReadOnlyList<string>> Warnings(ProjectionDefinition definition)
        {
            var log = new WarningLog();
            using MongoProjectionStore store = NewStore(log);
            await store.PrepareAsync([definition], Cancellation);
            return log.Lines;
        }

        async Task Fold(ProjectionDefinition definition)
        {
            using MongoProjectionStore store = NewStore(new WarningLog());
            await store.PrepareAsync([definition], Cancellation);
            await using var engine = new ProjectionEngine([definition], store, new ProjectionEngineOptions(),
                NullLogger<ProjectionEngine>.Instance);
            await engine.Project(0, [Tally.Event(0, 0, "a", 1, new Added(5))], nextOffset: 1, Cancellation);
        }
    }

    [Fact]
    public void Shape_names_kind_events_and_fields_and_ends_where_a_type_holds_itself() =>
        ReadModelShape.Of(Tree.Definition).ShouldBe(
        [
            "kind Folds", "event KafkaEventSourcing.Projections.Tests.Added", "field children: IReadOnlyDictionary<String, Tree>",
            "field id: String", "field since: Nullable<DateOnly>",
        ]);

    [Fact]
    public void Difference_names_what_is_gone_and_new_and_not_more_of_it_than_a_line_can_hold()
    {
        ReadModelShape.Difference(["a", "b"], ["b", "a"]).ShouldBeNull();
        ReadModelShape.Difference(["a", "b"], ["b"]).ShouldBe("gone: a");
        ReadModelShape.Difference(["a", "1", "2", "3", "4", "5", "6"], ["c"]).ShouldBe("gone: a, 1, 2, 3, 4 and 2 more; new: c");
    }

    private sealed record Before(string Id, long Sum)
    {
        public static readonly ProjectionDefinition Definition = ProjectionDefinition.Define<Before>("revenue")
            .Folds<Added>((total, added, r) => new(r.AggregateId.Value, (total?.Sum ?? 0) + added.By))
            .Build();
    }

    private sealed record Part(long Share);

    private sealed record After(string Id, long Sum, string Currency, IReadOnlyList<Part> Parts)
    {
        public static readonly ProjectionDefinition Definition = ProjectionDefinition.Define<After>("revenue")
            .Folds<Added>((total, added, r) => new(r.AggregateId.Value, (total?.Sum ?? 0) + added.By, "EUR", []))
            .Deletes<Cleared>()
            .Build();
    }

    private sealed record Tree(string Id, IReadOnlyDictionary<string, Tree> Children, DateOnly? Since)
    {
        public static readonly ProjectionDefinition Definition = ProjectionDefinition.Define<Tree>("trees")
            .Folds<Added>((tree, _, r) => tree ?? new(r.AggregateId.Value, new Dictionary<string, Tree>(), null))
            .Build();
    }

    private sealed class WarningLog : ILogger<MongoProjectionStore>
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                Lines.Add(formatter(state, exception));
        }
    }
}
