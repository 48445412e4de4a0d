using Banking.Domain;
using KafkaEventSourcing;
using KafkaEventSourcing.Testing;

namespace Banking.Tests;

public sealed class AccountTests
{
    private static readonly DateOnly Day = new(2026, 3, 1);

    private static readonly AccountOpened Opened = new() { Owner = "Ada", Currency = "EUR", OverdraftLimit = 100, OpenedOn = Day };

    private static Scenario<AccountState> Account => Scenario.Of(Domain.Account.Definition);

    private static Scenario<AccountState> OpenAccount => Account.Given(Opened);

    [Fact]
    public void Open_new_account_is_opened() =>
        Account.When(new OpenAccount { Owner = "Ada", Currency = "EUR", OverdraftLimit = 100, OpenedOn = Day }).Then(Opened);

    [Fact]
    public void Open_open_account_is_rejected() =>
        OpenAccount.When(new OpenAccount { Owner = "Eve", Currency = "EUR", OverdraftLimit = 0, OpenedOn = Day }).ThenRejected(
            "already-open", ("status", "open"));

    [Theory]
    [InlineData(" ", "EUR", 0, "owner-missing")]
    [InlineData("Ada", "eur", 0, "invalid-currency")]
    [InlineData("Ada", "EURO", 0, "invalid-currency")]
    [InlineData("Ada", "EUR", -1, "invalid-limit")]
    public void Open_unusable_input_is_rejected(string owner, string currency, long limit, string code) =>
        Account.When(new OpenAccount { Owner = owner, Currency = currency, OverdraftLimit = limit, OpenedOn = Day }).ThenRejected(code);

    [Fact]
    public void Credit_open_account_adds_to_the_balance() =>
        OpenAccount.Given(Credited(50, 50)).When(Credit(30)).Then(Credited(30, 80));

    [Fact]
    public void Credit_unknown_account_is_rejected() => Account.When(Credit(30)).ThenRejected("account-not-open");

    [Fact]
    public void Credit_other_currency_is_rejected() =>
        OpenAccount.When(Credit(30) with { Currency = "CZK" }).ThenRejected("currency-mismatch", ("account", "EUR"), ("movement", "CZK"));

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    public void Credit_not_positive_is_rejected(long amount) =>
        OpenAccount.When(Credit(amount)).ThenRejected("invalid-amount", ("amount", amount));

    [Fact]
    public void Credit_more_than_a_balance_can_hold_is_rejected() =>
        OpenAccount.Given(Credited(1, 1)).When(Credit(long.MaxValue)).ThenRejected("amount-too-large", ("balance", 1));

    [Fact]
    public void Debit_down_to_the_limit_is_accepted() =>
        OpenAccount.Given(Credited(50, 50)).When(Debit(150)).Then(Debited(150, -100));

    [Fact]
    public void Debit_one_beyond_the_limit_is_rejected_with_the_numbers() =>
        OpenAccount.Given(Credited(50, 50)).When(Debit(151)).ThenRejected("insufficient-funds", ("amount", 151), ("available", 150),
            ("balance", 50), ("limit", 100));

    [Fact]
    public void Debit_largest_amount_does_not_overflow() =>
        OpenAccount.When(Debit(long.MaxValue)).ThenRejected("insufficient-funds", ("available", 100));

    [Fact]
    public void Debit_frozen_account_is_rejected() =>
        OpenAccount.Given(new AccountFrozen { Reason = "court" }).When(Debit(1)).ThenRejected("account-frozen");

    [Fact]
    public void Credit_frozen_account_is_accepted() =>
        OpenAccount.Given(new AccountFrozen { Reason = "court" }).When(Credit(1)).Then(Credited(1, 1));

    [Fact]
    public void SetOverdraftLimit_changes_what_can_be_taken() =>
        OpenAccount.Given(new OverdraftLimitSet { OverdraftLimit = 500 }).When(Debit(500)).Then(Debited(500, -500));

    [Fact]
    public void SetOverdraftLimit_below_what_is_overdrawn_is_rejected() =>
        OpenAccount.Given(Debited(80, -80)).When(new SetOverdraftLimit { OverdraftLimit = 79 }).ThenRejected("limit-below-overdraft",
            ("balance", -80), ("limit", 79));

    [Fact]
    public void SetOverdraftLimit_same_again_changes_nothing() =>
        OpenAccount.When(new SetOverdraftLimit { OverdraftLimit = 100 }).ThenNothing();

    [Fact]
    public void Freeze_twice_changes_nothing() =>
        OpenAccount.Given(new AccountFrozen { Reason = "court" }).When(new FreezeAccount { Reason = "again" }).ThenNothing();

    [Fact]
    public void Unfreeze_frozen_account_can_be_debited_again() =>
        OpenAccount.Given(new AccountFrozen { Reason = "court" }, new AccountUnfrozen()).When(Debit(1)).Then(Debited(1, -1));

    [Fact]
    public void Unfreeze_open_account_changes_nothing() => OpenAccount.When(new UnfreezeAccount()).ThenNothing();

    [Fact]
    public void Close_at_zero_is_closed() => OpenAccount.When(new CloseAccount()).Then(new AccountClosed());

    [Fact]
    public void Close_with_money_left_is_rejected() =>
        OpenAccount.Given(Credited(7, 7)).When(new CloseAccount()).ThenRejected("balance-not-zero", ("balance", 7));

    [Fact]
    public void Close_frozen_account_is_rejected() =>
        OpenAccount.Given(new AccountFrozen { Reason = "court" }).When(new CloseAccount()).ThenRejected("account-frozen");

    public static TheoryData<object> AfterTheEnd =>
        [Credit(1), Debit(1), new SetOverdraftLimit { OverdraftLimit = 1 }, new FreezeAccount { Reason = "x" }, new UnfreezeAccount(),
            new CloseAccount()];

    [Theory]
    [MemberData(nameof(AfterTheEnd), DisableDiscoveryEnumeration = true)]
    public void Any_command_for_a_closed_account_is_rejected(object command) =>
        OpenAccount.Given(new AccountClosed()).When(command).ThenRejected("account-closed");

    [Fact]
    public void Scenario_that_ends_otherwise_says_what_came()
    {
        ScenarioException wrong = Should.Throw<ScenarioException>(() => OpenAccount.When(Debit(151)).Then(Debited(151, -151)));
        wrong.Message.ShouldContain("insufficient-funds");
        Should.Throw<ScenarioException>(() => OpenAccount.When(Debit(50)).ThenRejected("insufficient-funds"));
        Should.Throw<ScenarioException>(() => OpenAccount.When(Debit(151)).ThenRejected("insufficient-funds", ("available", 1)));
    }

    private static Credit Credit(long amount) => new()
    {
        Amount = amount,
        Currency = "EUR",
        BookedOn = Day,
        Operation = Operation.CashDeposit,
        Category = Category.None,
    };

    private static Debit Debit(long amount) => new()
    {
        Amount = amount,
        Currency = "EUR",
        BookedOn = Day,
        Operation = Operation.CashWithdrawal,
        Category = Category.None,
    };

    private static AccountCredited Credited(long amount, long after) =>
        new()
        {
            Amount = amount,
            Currency = "EUR",
            BookedOn = Day,
            Operation = Operation.CashDeposit,
            Category = Category.None,
            BalanceAfter = after,
        };

    private static AccountDebited Debited(long amount, long after) =>
        new()
        {
            Amount = amount,
            Currency = "EUR",
            BookedOn = Day,
            Operation = Operation.CashWithdrawal,
            Category = Category.None,
            BalanceAfter = after,
        };
}
