using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Projections.Tests;

public sealed record Sent(string From, string To, int Amount);

public sealed record Wallet(string Id, long Balance, int Events);

/// <summary>
/// Documents that events of several partitions fold into, written by engines that do not know of each other. An engine wrote over what
/// another had written since it had read the document: updates were lost.
/// </summary>
public abstract class SharedDocumentContract
{
    private const int Keys = 3;

    internal static readonly ProjectionDefinition Wallets = ProjectionDefinition.Define<Wallet>("wallets")
        .Key<Sent>(sent => sent.To)
        .Folds<Sent>((wallet, sent, _) => new(sent.To, (wallet?.Balance ?? 0) + sent.Amount, (wallet?.Events ?? 0) + 1))
        .Deletes<Cleared>()
        .Build();

    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private protected abstract IProjectionStore Store { get; }

    [Fact]
    public async Task Engines_that_take_turns_at_one_document_lose_nothing()
    {
        await using ProjectionEngine one = Start();
        await using ProjectionEngine two = Start();
        for (int i = 0; i < 10; i++)
        {
            await Project(one, 0, i, 1);
            await Project(two, 1, i, 10);
        }

        (await Documents()).ShouldBe(["k0:44:8", "k1:33:6", "k2:33:6"]);
    }

    [Fact]
    public async Task Engines_that_write_one_document_at_the_same_time_lose_nothing()
    {
        const int Batches = 60;
        await using ProjectionEngine one = Start();
        await using ProjectionEngine two = Start();
        await Task.WhenAll(Write(one, 0), Write(two, 1), Write(two, 2));
        (await Documents()).ShouldBe(Enumerable.Range(0, Keys).Select(k => $"k{k}:{3 * Batches / Keys}:{3 * Batches / Keys}"));

        async Task Write(ProjectionEngine engine, int partition)
        {
            for (int i = 0; i < Batches; i++)
                await Project(engine, partition, i, 1);
        }
    }

    // A version that counts would be the same again.
    [Fact]
    public async Task Document_that_another_engine_deleted_and_made_again_is_folded_on_as_it_is()
    {
        await using ProjectionEngine one = Start();
        await using ProjectionEngine two = Start();
        await Project(one, 0, 0, 5);
        await two.ProjectAsync(1, 0, [Tally.Event(1, 0, "k0", 1, new Cleared()), Tally.Event(1, 1, "x", 1, new Sent("x", "k0", 100))], 2,
            Cancellation);
        await one.ProjectAsync(0, 1, [Tally.Event(0, 1, "y", 2, new Sent("y", "k0", 1))], 2, Cancellation);
        (await Documents()).ShouldBe(["k0:101:2"]);
        await two.ProjectAsync(1, 2, [Tally.Event(1, 2, "k0", 2, new Cleared())], 3, Cancellation);
        await one.ProjectAsync(0, 2, [Tally.Event(0, 2, "y", 3, new Sent("y", "k0", 7))], 3, Cancellation);
        (await Documents()).ShouldBe(["k0:7:1"]);
    }

    /// <summary>All documents of the read model: key, balance and number of events.</summary>
    private protected abstract Task<string[]> Documents();

    private protected ProjectionEngine Start() =>
        new([Wallets], Store, new ProjectionEngineOptions { CheckInterval = TimeSpan.FromHours(1) }, NullLogger<ProjectionEngine>.Instance);

    private static Task Project(ProjectionEngine engine, int partition, int offset, int amount) =>
        engine.ProjectAsync(partition, offset,
            [Tally.Event(partition, offset, $"s{partition}", offset + 1, new Sent($"s{partition}", $"k{offset % Keys}", amount))],
            offset + 1, Cancellation);
}
