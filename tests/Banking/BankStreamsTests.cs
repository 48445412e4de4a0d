using System.Text;
using Banking.Domain;
using Banking.Streams;
using KafkaEventSourcing.Streamiz;

namespace Banking.Tests;

public sealed class BankStreamsTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 31, 22, 30, 0, TimeSpan.Zero); // in Prague it is the first of April
    private static readonly DateOnly March = new(2026, 3, 1);

    [Fact]
    public void Account_has_a_snapshot_a_topic_per_event_type_and_a_turnover_in_the_month_of_the_booking()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(BankStreams.Definition);
        streams.Given(Account.Definition, "a", Now, Opened("ann"), Credited(500, 500), Credited(20, 520), Debited(7, 513));

        streams.SnapshotOf(Account.Definition, "a")!.State.ShouldBe(new AccountState
        {
            Status = AccountStatus.Open, Owner = "ann", Currency = "CZK", Balance = 513, OverdraftLimit = 0, Credits = 2, Debits = 1,
        });
        streams.ReadAll("bank-streams.account.account-opened").Count.ShouldBe(1);
        streams.ReadAll("bank-streams.account.account-credited").Select(r => streams.Decode<AccountCredited>(r.Message.Value)!.Amount)
            .ShouldBe([500, 20]);
        streams.ReadAll("bank-streams.account.account-debited").Select(r => streams.Decode<AccountDebited>(r.Message.Value)!.Amount)
            .ShouldBe([7]);
        RunningTotal credits = streams.TotalOf(BankStreams.Turnover, "pension/credit/CZK", March)!;
        (credits.Count, credits.Sum, credits.TimeZone).ShouldBe((2, 520, "Europe/Prague"));
        credits.End.ShouldBe(new DateTimeOffset(2026, 3, 31, 22, 0, 0, TimeSpan.Zero));
        streams.TotalOf(BankStreams.Turnover, "household/debit/CZK", March)!.Sum.ShouldBe(7);
    }

    [Fact]
    public void Transfer_is_beside_its_payer_as_both_are_now()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(BankStreams.Definition);
        streams.Given(Transfer.Definition, "t", Now, new TransferRequested
        {
            Payer = "a", Receiver = "b", Amount = 7, Currency = "CZK", BookedOn = March, Deadline = Now.AddHours(1),
        });
        Joined(streams).ShouldBe([("t", null, 0L)]);
        streams.Given(Account.Definition, "a", Now, Opened("ann"), Credited(500, 500));
        Joined(streams).ShouldBe([("t", "ann", 0L), ("t", "ann", 500L)]);
    }

    [Fact]
    public void Key_of_a_turnover_reads_as_what_it_was_made_of() =>
        TurnoverKey.Parse(TurnoverKey.Of(Category.LoanPayment, TurnoverKey.Debit, "CZK")).ShouldBe(
            new TurnoverKey("loan-payment", "debit", "CZK"));

    private static (string, string?, long)[] Joined(EventStreamsTestDriver streams) =>
    [
        .. streams.ReadAll("bank-streams.transfers-with-payers").Select(r => (Key: Encoding.UTF8.GetString(r.Message.Key),
            Value: streams.Decode<TransferWithPayer>(r.Message.Value)!)).Select(r => (r.Key, r.Value.PayerOwner, r.Value.PayerBalance)),
    ];

    private static AccountOpened Opened(string owner) => new() { Owner = owner, Currency = "CZK", OverdraftLimit = 0, OpenedOn = March };

    private static AccountCredited Credited(long amount, long balance) => new()
    {
        Amount = amount, Currency = "CZK", BookedOn = March, Operation = Operation.TransferIn, Category = Category.Pension,
        BalanceAfter = balance,
    };

    private static AccountDebited Debited(long amount, long balance) => new()
    {
        Amount = amount, Currency = "CZK", BookedOn = March, Operation = Operation.CardWithdrawal, Category = Category.Household,
        BalanceAfter = balance,
    };
}
