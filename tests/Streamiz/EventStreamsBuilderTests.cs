using Banking.Domain;
using Microsoft.Extensions.DependencyInjection;

namespace KafkaEventSourcing.Streamiz.Tests;

public sealed class EventStreamsBuilderTests
{
    [Theory]
    [InlineData("")]
    [InlineData("Bank")]
    [InlineData("bank.streams")]
    [InlineData("bank_streams")]
    [InlineData("../bank")]
    [InlineData("1bank")]
    public void Define_with_a_name_that_is_none_of_a_group_a_folder_and_a_topic_is_refused(string name) =>
        Should.Throw<InvalidInputException>(() => EventStreams.Define(name)).Message.ShouldContain($"'{name}'");

    [Fact]
    public void Build_without_a_source_is_refused() =>
        Should.Throw<InvalidOperationException>(() => EventStreams.Define("bank-streams").Build()).Message.ShouldContain("read nothing");

    [Fact]
    public void From_with_an_aggregate_type_twice_is_refused() =>
        Should.Throw<InvalidOperationException>(() => EventStreams.Define("bank-streams").From(Account.Definition).From(Account.Definition))
            .Message.ShouldContain("'account'");

    [Fact]
    public void Parts_that_would_have_one_topic_are_refused_with_it() =>
        Should.Throw<InvalidOperationException>(() => EventStreams.Define("bank-streams").From(Account.Definition).From(Transfer.Definition)
            .Snapshot(Account.Definition).Snapshot(Transfer.Definition)
            .Join("payers", Transfer.Definition, Account.Definition, transfer => transfer.Payer, (transfer, _) => transfer)
            .Totals("payers-requests", CalendarWindow.Day, "UTC", totals => totals.Add<AccountCredited>(Account.Definition, credited =>
                new TotalEntry("all", credited.Amount, credited.BookedOn))).Build())
            .Message.ShouldContain("bank-streams-payers-requests-");

    [Fact]
    public void Part_with_the_name_of_the_topic_that_says_what_was_read_is_refused() =>
        Should.Throw<InvalidInputException>(() => EventStreams.Define("bank-streams").From(Account.Definition).Totals("read-topics",
            CalendarWindow.Day, "UTC", _ => { })).Message.ShouldContain("'read-topics'");

    // A reset of the one would empty what the other one has: a topic is of the longest name that it begins with.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AddEventStreams_with_topics_that_are_taken_for_those_of_others_is_refused(bool longerFirst)
    {
        EventStreamsDefinition[] both = [Totals("bank-streams", "eu-credits"), Totals("bank-streams-eu", "credits")];
        if (longerFirst)
            Array.Reverse(both);
        var services = new ServiceCollection();
        services.AddEventStreams(both[0]);
        Should.Throw<InvalidOperationException>(() => services.AddEventStreams(both[1])).Message.ShouldContain(
            "bank-streams-eu-credits-");

        services.AddEventStreams(Totals(both[0].Name + "-two", "credits")); // what merely begins so is told apart
    }

    private static EventStreamsDefinition Totals(string name, string totals) => EventStreams.Define(name).From(Account.Definition)
        .Totals(totals, CalendarWindow.Day, "UTC", adds => adds.Add<AccountCredited>(Account.Definition, credited =>
            new TotalEntry("all", credited.Amount, credited.BookedOn))).Build();
}
