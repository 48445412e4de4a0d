using Banking.Domain;
using KafkaEventSourcing;
using KafkaEventSourcing.Testing;

namespace Banking.Tests;

public sealed class TransferTests
{
    private static readonly DateTimeOffset Now = new(2026, 4, 1, 9, 0, 0, TimeSpan.Zero);
    private static readonly DateOnly Day = new(2026, 4, 1);
    private static readonly AggregateId Payer = AggregateId.Parse("payer");
    private static readonly AggregateId Receiver = AggregateId.Parse("receiver");
    private static readonly Scenario<TransferState> New = Scenario.Of(Transfer.Definition).In(AggregateId.Parse("t1"), Now);
    private static readonly Scenario<TransferState> Requested = New.Given(Request(Now.AddHours(1)));
    private static readonly Scenario<TransferState> Crediting = Requested.Given(new TransferDebited());
    private static readonly Scenario<TransferState> Refunding = Crediting.Given(
        new TransferCreditRefused { Code = "account-closed", Reason = "closed" });

    private static Debit Debit { get; } = new()
    {
        Amount = 7,
        Currency = "EUR",
        BookedOn = Day,
        Operation = Operation.TransferOut,
        Category = Category.None,
        PartnerAccount = "receiver",
    };

    private static Credit Credit { get; } = new()
    {
        Amount = 7,
        Currency = "EUR",
        BookedOn = Day,
        Operation = Operation.TransferIn,
        Category = Category.None,
        PartnerAccount = "payer",
    };

    [Fact]
    public void Request_debits_the_payer_and_sets_the_deadline() =>
        New.When(Command()).Then(Request(Now.AddHours(1))).ThenSends(new ReactionCommand("debit", Payer, Debit)).ThenTimers(
            new ReactionTimer("deadline", Now.AddHours(1)));

    [Fact]
    public void Request_with_a_deadline_keeps_it() =>
        New.When(Command() with { Deadline = Now.AddSeconds(5) }).Then(Request(Now.AddSeconds(5))).ThenTimers(
            new ReactionTimer("deadline", Now.AddSeconds(5)));

    [Fact]
    public void Request_twice_is_rejected() => Requested.When(Command()).ThenRejected("already-requested").ThenSends();

    [Theory]
    [InlineData("payer", "payer", 7, "same-account")]
    [InlineData("", "receiver", 7, "invalid-account")]
    [InlineData("payer", "\u0001", 7, "invalid-account")]
    [InlineData("payer", "receiver", 0, "invalid-amount")]
    public void Request_that_makes_no_sense_is_rejected(string payer, string receiver, long amount, string code) =>
        New.When(Command() with { Payer = payer, Receiver = receiver, Amount = amount }).ThenRejected(code);

    [Fact]
    public void Request_after_its_deadline_is_rejected() => New.When(Command() with { Deadline = Now }).ThenRejected("deadline-passed");

    [Fact]
    public void Debited_credits_the_receiver_and_cancels_the_deadline() =>
        Requested.When(Answer("debit", CommandResultKind.Accepted)).Then(new TransferDebited()).ThenSends(
            new ReactionCommand("credit", Receiver, Credit)).ThenTimers(new ReactionTimer("deadline", null));

    [Fact]
    public void Debit_refused_ends_it_with_the_reason() =>
        Requested.When(Answer("debit", CommandResultKind.Rejected)).Then(new TransferRefused { Code = "no", Reason = "because" }).ThenSends(
            ).ThenTimers(new ReactionTimer("deadline", null));

    [Fact]
    public void Debit_that_faulted_ends_it_too() =>
        Requested.When(Answer("debit", CommandResultKind.Faulted)).Then(new TransferRefused { Code = "no", Reason = "because" });

    [Fact]
    public void Credited_completes_it() => Crediting.When(Answer("credit", CommandResultKind.Accepted)).Then(new TransferCompleted())
        .ThenSends();

    [Fact]
    public void Credit_refused_gives_the_money_back() =>
        Crediting.When(Answer("credit", CommandResultKind.Rejected)).Then(new TransferCreditRefused { Code = "no", Reason = "because" })
            .ThenSends(new ReactionCommand("refund", Payer, Credit with { PartnerAccount = "receiver" }));

    [Fact]
    public void Refunded_ends_it() => Refunding.When(Answer("refund", CommandResultKind.Accepted)).Then(new TransferRefunded());

    [Fact]
    public void Refund_refused_keeps_the_money_with_the_transfer()
    {
        ScenarioOutcome<TransferState> outcome = Refunding.When(Answer("refund", CommandResultKind.Rejected)).Then(
            new TransferSuspended { Code = "no", Reason = "because" });
        Transfer.Holds(outcome.State).ShouldBe(7);
    }

    [Fact]
    public void Deadline_before_the_debit_expires_it_and_a_late_debit_is_given_back()
    {
        Requested.When(Elapsed()).Then(new TransferExpired()).ThenSends();
        Scenario<TransferState> expired = Requested.Given(new TransferExpired());
        expired.When(Elapsed()).ThenNothing();
        expired.When(Answer("debit", CommandResultKind.Accepted)).Then(new TransferDebited()).ThenSends(
            new ReactionCommand("refund", Payer, Credit with { PartnerAccount = "receiver" }));
        expired.When(Answer("debit", CommandResultKind.Rejected)).Then(new TransferRefused { Code = "no", Reason = "because" });
    }

    [Fact]
    public void Deadline_after_the_debit_changes_nothing() => Crediting.When(Elapsed()).ThenNothing();

    [Theory]
    [InlineData("credit")]
    [InlineData("refund")]
    public void Answer_out_of_turn_changes_nothing(string step) => Requested.When(Answer(step, CommandResultKind.Accepted)).ThenNothing();

    private static RequestTransfer Command() => new()
    {
        Payer = "payer",
        Receiver = "receiver",
        Amount = 7,
        Currency = "EUR",
        BookedOn = Day,
    };

    private static TransferRequested Request(DateTimeOffset deadline) =>
        new() { Payer = "payer", Receiver = "receiver", Amount = 7, Currency = "EUR", BookedOn = Day, Deadline = deadline };

    private static CommandCompleted Answer(string step, CommandResultKind outcome) =>
        new(step, outcome)
        {
            Code = outcome == CommandResultKind.Accepted ? "" : "no", Message = outcome == CommandResultKind.Accepted ? "" : "because",
        };

    private static TimerElapsed Elapsed() => new("deadline", Now.AddHours(1));
}
