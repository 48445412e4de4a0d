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

    // What went wrong: an error of a dictionary, or of a null reference, that did not name what was given.
    [Fact]
    public void PerEventType_with_a_type_twice_or_null_is_refused_with_what_it_is()
    {
        EventStreamsBuilder builder = EventStreams.Define("bank-streams").From(Account.Definition);
        Should.Throw<InvalidOperationException>(() => builder.PerEventType(Account.Definition, typeof(AccountOpened),
            typeof(AccountOpened))).Message.ShouldBe("AccountOpened of 'account' is given twice.");
        Should.Throw<ArgumentNullException>(() => builder.PerEventType(Account.Definition, [null!]));
    }

    // What went wrong: streams started, and stood still by an error of the client, or had every transaction aborted.
    [Theory]
    [InlineData("SessionTimeout", 1, 200, 10_000)]
    [InlineData("SessionTimeout", 3_600_001, 200, 10_000)]
    [InlineData("TransactionTimeout", 20_000, 200, 999)]
    [InlineData("CommitInterval", 20_000, 10_000, 10_000)]
    [InlineData("CommitInterval", 20_000, 0, 10_000)]
    public void Options_that_the_client_or_a_broker_refuses_are_refused_before_anything_starts(string name, int session, int commit,
        int transaction)
    {
        var options = new EventStreamsOptions
        {
            SessionTimeout = TimeSpan.FromMilliseconds(session), CommitInterval = TimeSpan.FromMilliseconds(commit),
            TransactionTimeout = TimeSpan.FromMilliseconds(transaction),
        };
        Should.Throw<InvalidInputException>(options.Validate).Message.ShouldStartWith($"{name} is ");
    }

    [Fact]
    public void Commits_at_least_once_may_be_further_apart_than_a_transaction_takes() =>
        new EventStreamsOptions { ExactlyOnce = false, CommitInterval = TimeSpan.FromMinutes(1) }.Validate();

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
