using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Projections.Tests;

/// <summary>
/// A read model that is folded from the logs of two aggregate types, by an engine each, on nodes that each have some of the partitions.
/// </summary>
public abstract class SharedReadModelContract
{
    private const int Partitions = 2;
    private static readonly string[] Types = ["account", "transfer"];

    private readonly TallyLog _accounts = new(Partitions);
    private readonly TallyLog _transfers = new(Partitions) { TopicId = "other" };

    internal static readonly ProjectionDefinition Totals = Tally.Totals;

    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private protected abstract IProjectionStore Store { get; }

    /// <summary>All documents, as text.</summary>
    protected abstract Task<string[]> Documents(string readModel);

    protected abstract Task DeleteCheckpoint(string readModel, EventPartition partition);

    // Both logs have events at the same partitions and offsets: by these alone the second type's would be taken for read.
    [Fact]
    public async Task Each_event_of_each_type_counts_once_through_restarts()
    {
        Append(20);
        await ReadBoth();
        Append(9);
        await ReadBoth();
        await ShouldBeFoldOfBoth();
        (await Store.LoadCheckpointAsync(Totals, new EventPartition("transfer", 1), Cancellation))!.Value.NextOffset.ShouldBe(29);
        (await Store.LoadStateAsync(Totals, Cancellation))!.Until.ShouldBeEmpty();
    }

    [Fact]
    public async Task Checkpoint_of_one_type_that_is_gone_builds_the_read_model_anew_from_both()
    {
        Append(20);
        await using ProjectionEngine accounts = Start("account");
        await using ProjectionEngine transfers = Start("transfer");
        TallyReader first = _accounts.Reader(accounts);
        TallyReader second = _transfers.Reader(transfers);
        await first.Read(Cancellation);
        await second.Read(Cancellation);
        await DeleteCheckpoint("totals", new EventPartition("transfer", 0));
        await transfers.InspectAsync(Cancellation);
        (await Store.LoadStateAsync(Totals, Cancellation))!.Until.Keys.Select(p => p.ToString()).Order(StringComparer.Ordinal).ShouldBe(
            ["account/0", "account/1", "transfer/0", "transfer/1"]);
        await second.Read(Cancellation);
        (await Store.LoadStateAsync(Totals, Cancellation))!.Until.ShouldNotBeEmpty(); // half of it is not a read model
        await accounts.InspectAsync(Cancellation);
        await first.Read(Cancellation);
        await ShouldBeFoldOfBoth();
        (await Store.LoadStateAsync(Totals, Cancellation))!.Until.ShouldBeEmpty();
    }

    [Fact]
    public async Task Log_of_one_type_that_is_another_one_stops_that_type_alone()
    {
        Append(10);
        await ReadBoth();
        _transfers.TopicId = "made anew";
        await using ProjectionEngine transfers = Start("transfer");
        await transfers.StartOfAsync(0, Cancellation);
        transfers.Stops.All()[("totals", 0)].ShouldStartWith(
            "The read model 'totals' is stopped in partition 0 of transfer: the events topic was made anew");
        await using ProjectionEngine accounts = Start("account");
        await accounts.StartOfAsync(0, Cancellation);
        accounts.Stops.All().ShouldBeEmpty();
    }

    [Fact]
    public async Task Read_model_of_one_type_goes_on_from_the_checkpoints_that_it_has()
    {
        _accounts.Append(0, 10);
        await using (ProjectionEngine engine = Start("account", several: false))
            await _accounts.Reader(engine).Read(Cancellation);
        Guid before = (await Store.LoadStateAsync(Totals, Cancellation))!.Build;
        (await Store.LoadCheckpointAsync(Totals, 0, Cancellation))!.Value.NextOffset.ShouldBe(10);
        await using ProjectionEngine again = new([Totals], Store, Options, NullLogger<ProjectionEngine>.Instance, _accounts);
        (await again.StartOfAsync(0, Cancellation)).ShouldBe(10);
        (await Store.LoadStateAsync(Totals, Cancellation))!.Build.ShouldBe(before);
    }

    [Fact]
    public async Task Read_model_that_gets_a_second_type_is_built_anew_by_who_comes_and_left_by_who_is_there()
    {
        Append(10);
        await using ProjectionEngine old = Start("account", several: false);
        await _accounts.Reader(old).Read(Cancellation);
        await ReadBoth();
        await ShouldBeFoldOfBoth();
        await old.InspectAsync(Cancellation);
        old.Stops.All()[("totals", 0)].ShouldBe(
            "The read model 'totals' is stopped: another release of the application keeps it, folded from the events of account and "
                + "transfer and not of one aggregate type. End the nodes of one of the two.");
        await ShouldBeFoldOfBoth();
    }

    private static ProjectionEngineOptions Options => new() { CheckInterval = TimeSpan.FromHours(1) };

    private void Append(int events)
    {
        for (int partition = 0; partition < Partitions; partition++)
        {
            _accounts.Append(partition, events);
            _transfers.Append(partition, events); // the same ids: both types fold into the same documents
        }
    }

    private async Task ReadBoth()
    {
        await using ProjectionEngine accounts = Start("account");
        await using ProjectionEngine transfers = Start("transfer");
        await Task.WhenAll(_accounts.Reader(accounts).Read(Cancellation), _transfers.Reader(transfers).Read(Cancellation));
    }

    private ProjectionEngine Start(string aggregate, bool several = true)
    {
        var logs = new Dictionary<string, IEventLogExtents> { ["account"] = _accounts, ["transfer"] = _transfers };
        var shared = several ? new Dictionary<string, IReadOnlyList<string>> { ["totals"] = Types } : [];
        return new([Totals], Store, Options, NullLogger<ProjectionEngine>.Instance, logs[aggregate],
            feed: new ProjectionFeed(aggregate, shared, logs));
    }

    private async Task ShouldBeFoldOfBoth()
    {
        var sums = new SortedDictionary<string, Total>(StringComparer.Ordinal);
        foreach (TallyLog log in (TallyLog[])[_accounts, _transfers])
        {
            for (int partition = 0; partition < Partitions; partition++)
            {
                for (long at = 0; at < log.End(partition);)
                {
                    IReadOnlyList<RecordedEvent> events = log.From(partition, at);
                    at += events.Count;
                    foreach (RecordedEvent recorded in events)
                    {
                        string id = recorded.AggregateId.Value;
                        Total sum = sums.GetValueOrDefault(id) ?? new(id, 0, 0);
                        sums[id] = sum with { Sum = sum.Sum + ((Added)recorded.Payload).By, Events = sum.Events + 1 };
                    }
                }
            }
        }

        (await Documents("totals")).ShouldBe(sums.Values.Select(t => t.ToString()));
    }
}
