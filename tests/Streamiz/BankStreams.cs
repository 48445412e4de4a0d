using Banking.Domain;

namespace KafkaEventSourcing.Streamiz.Tests;

/// <summary>Events of the bank, and definitions over them.</summary>
internal static class BankStreams
{
    public static readonly DateTimeOffset Noon = new(2026, 11, 2, 12, 0, 0, TimeSpan.Zero);

    public static AccountOpened Opened(string owner = "ann") =>
        new() { Owner = owner, Currency = "CZK", OverdraftLimit = 0, OpenedOn = new DateOnly(2026, 11, 1) };

    public static AccountCredited Credited(long amount, long balance, DateOnly? day = null, Category category = Category.None) => new()
    {
        Amount = amount,
        Currency = "CZK",
        BookedOn = day ?? new DateOnly(2026, 11, 2),
        Operation = Operation.CashDeposit,
        Category = category,
        BalanceAfter = balance,
    };

    public static EventStreamsDefinition Snapshots(Func<AccountState, bool>? dropWhen = null) =>
        EventStreams.Define("bank-streams").From(Account.Definition).Snapshot(Account.Definition, dropWhen: dropWhen).Build();

    public static EventStreamsDefinition Totals(CalendarWindow window = CalendarWindow.Month, string zone = "Europe/Prague") =>
        EventStreams.Define("bank-streams").From(Account.Definition)
            .Totals("credits", window, zone, totals => totals.Add<AccountCredited>(Account.Definition,
                (credited, recorded) => new TotalEntry(credited.Category.ToString(), credited.Amount, recorded.Time)))
            .Build();
}
