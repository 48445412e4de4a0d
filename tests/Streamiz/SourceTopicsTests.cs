using Banking.Domain;

namespace KafkaEventSourcing.Streamiz.Tests;

/// <summary>Streams do not go on in a topic that is not the one that they have read, or that has lost what they read next.</summary>
public sealed class SourceTopicsTests(RunningStreamsTests.Fixture fixture) : IClassFixture<RunningStreamsTests.Fixture>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Totals took the events of a topic that was made again for repeats of those of the one before: they stayed as they
    /// were.</summary>
    [Fact]
    public async Task Topic_that_was_made_again_stops_totals_until_they_are_reset()
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        IReadOnlyList<ConsistencyToken> last = await log.AppendAccountsAsync(accounts: 1, credits: 2);
        EventStreamsDefinition definition = Totals(log.Name);
        await using (EventStreamsRunner runner = log.Start(definition, exactlyOnce: true))
            (await runner.ReadTotalAsync("credits", "all", new DateOnly(2026, 11, 1), Account.Definition, last[0], Cancellation))!
                .Count.ShouldBe(2);
        await using (await log.StartOnceAsync(definition, Cancellation)) // as they are, they start again
        {
        }

        await log.MakeEventsAgainAsync(Cancellation);
        await log.AppendAccountsAsync(accounts: 1, credits: 1);
        (await Should.ThrowAsync<StreamStateException>(log.StartOnceAsync(definition, Cancellation))).Message.ShouldContain(
            "was deleted and made again");
    }

    /// <summary>Totals began with the first event that was left: the sums were short of those before, and nothing said so.</summary>
    [Fact]
    public async Task Head_that_is_gone_before_it_was_read_stops_streams_unless_somebody_sets_a_position()
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        await log.AppendAsync("a", BankStreams.Opened());
        ConsistencyToken second = await log.AppendAsync("a", BankStreams.Credited(1, 1));
        ConsistencyToken third = await log.AppendAsync("a", BankStreams.Credited(1, 2));
        EventStreamsDefinition definition = Totals(log.Name);
        await log.CutAsync(second);
        (await Should.ThrowAsync<StreamStateException>(log.StartOnceAsync(definition, Cancellation))).Message.ShouldContain(
            $"{log.EventsTopic}, partition {second.Partition}, begins at offset {second.Offset}, and the streams '{log.Name}' have no "
                + "position in it");

        await log.SetPositionAsync(definition, second);
        await using (await log.StartOnceAsync(definition, Cancellation))
        {
        }

        await log.SetPositionAsync(definition, second);
        await log.CutAsync(third);
        (await Should.ThrowAsync<StreamStateException>(log.StartOnceAsync(definition, Cancellation))).Message.ShouldContain(
            $"have read it up to offset {second.Offset}");
    }

    [Fact]
    public async Task Name_of_an_application_of_the_cluster_is_refused()
    {
        await using StreamLog other = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        (await Should.ThrowAsync<InvalidInputException>(log.StartOnceAsync(Totals(other.Application), Cancellation))).Message.ShouldContain(
            other.EventsTopic);
    }

    private static EventStreamsDefinition Totals(string name) => EventStreams.Define(name).From(Account.Definition)
        .Totals("credits", CalendarWindow.Month, "Europe/Prague", totals => totals.Add<AccountCredited>(Account.Definition, credited =>
            new TotalEntry("all", credited.Amount, credited.BookedOn))).Build();
}
