using Banking.Domain;
using Streamiz.Kafka.Net.Mock;
using static KafkaEventSourcing.Streamiz.Tests.BankStreams;

namespace KafkaEventSourcing.Streamiz.Tests;

public sealed class TotalsTests
{
    private static readonly DateOnly November = new(2026, 11, 1);

    [Fact]
    public void Total_of_a_month_has_what_came_late_in_its_own_month()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(BankStreams.Totals());
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(500, 500, category: Category.Pension))
            .Given(Account.Definition, "a", Noon.AddMonths(3), Credited(7, 507, category: Category.Pension))
            .Given(Account.Definition, "b", Noon.AddYears(-33), Opened(), Credited(100, 100, category: Category.Pension))
            .Given(Account.Definition, "a", Noon.AddDays(1), Credited(1, 508, category: Category.Pension));

        RunningTotal total = streams.TotalOf("credits", "Pension", November).ShouldNotBeNull();
        (total.Count, total.Sum).ShouldBe((2, 501));
        (total.Begin, total.End, total.TimeZone).ShouldBe((new DateTimeOffset(2026, 10, 31, 23, 0, 0, TimeSpan.Zero),
            new DateTimeOffset(2026, 11, 30, 23, 0, 0, TimeSpan.Zero), "Europe/Prague"));
        streams.TotalOf("credits", "Pension", November.AddMonths(3))!.Sum.ShouldBe(7);
        streams.TotalOf("credits", "Pension", new DateOnly(1993, 11, 1))!.Sum.ShouldBe(100);
        streams.TotalOf("credits", "Interest", November).ShouldBeNull();
    }

    [Fact]
    public void Amount_that_comes_again_adds_nothing_and_the_total_is_written_again()
    {
        EventStreamsDefinition definition = BankStreams.Totals();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(500, 500), Credited(1, 501));
        RunningTotal before = streams.TotalOf("credits", "None", November)!;
        before.Sources.Select(s => (s.Aggregate, s.Partition, s.Offset, s.Part)).ShouldBe([("account", 0, 2L, 0)]);
        int written = streams.ReadAll(definition.ChangelogOf("credits")).Count;

        // what a crash after the write to the internal topic leaves there: the same amounts once more
        TestInputTopic<string, TotalAmount> amounts = streams.Driver.CreateInputTopic(definition.RepartitionOf("credits"),
            KeySerDes.Instance, streams.SerDesOf<TotalAmount>());
        foreach (long offset in (long[])[1, 2])
            amounts.PipeInput("None/2026-11-01", Amount(offset));

        streams.TotalOf("credits", "None", November).ShouldBe(before);
        streams.SkippedRepeatsOf("credits").ShouldBe(2);
        streams.ReadAll(definition.ChangelogOf("credits")).Count.ShouldBe(2);
        written.ShouldBe(2);
    }

    // The offset of one partition says nothing of another one's.
    [Fact]
    public void Amounts_of_several_partitions_and_aggregate_types_are_known_each_by_its_own_offset()
    {
        EventStreamsDefinition definition = BankStreams.Totals();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        TestInputTopic<string, TotalAmount> amounts = streams.Driver.CreateInputTopic(definition.RepartitionOf("credits"),
            KeySerDes.Instance, streams.SerDesOf<TotalAmount>());
        foreach ((string aggregate, int partition, long offset, int part) in ((string, int, long, int)[])[("account", 0, 9, 0),
            ("account", 1, 3, 0), ("account", 1, 3, 1), ("transfer", 1, 2, 0), ("account", 1, 3, 0), ("account", 0, 10, 0)])
            amounts.PipeInput("x/2026-11-01", new TotalAmount
            {
                Aggregate = aggregate, Partition = partition, Offset = offset, Part = part, Amount = 1, Earlier = [],
            });

        (streams.TotalOf("credits", "x", November)!.Count, streams.SkippedRepeatsOf("credits")).ShouldBe((5, 1));
    }

    [Fact]
    public void Sum_that_does_not_fit_stops_the_streams_and_names_the_total()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(BankStreams.Totals());
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(long.MaxValue, 1));
        Should.Throw<StreamStateException>(() => streams.Given(Account.Definition, "a", Noon, Credited(1, 2)))
            .Message.ShouldContain("The total 'None' of 'credits'");
    }

    [Fact]
    public void Day_of_an_event_is_one_of_the_zone_and_needs_no_time()
    {
        EventStreamsDefinition definition = EventStreams.Define("bank-streams").From(Account.Definition)
            .Totals("days", CalendarWindow.Day, "America/New_York", totals => totals.Add<AccountCredited>(Account.Definition,
                credited => new TotalEntry("all", credited.Amount, credited.BookedOn))).Build();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(5, 5, new DateOnly(1993, 1, 1)));
        streams.TotalOf("days", "all", new DateOnly(1993, 1, 1))!.Sum.ShouldBe(5);
    }

    private static TotalAmount Amount(long offset) =>
        new() { Aggregate = "account", Partition = 0, Offset = offset, Part = 0, Amount = 500, Earlier = [] };
}
