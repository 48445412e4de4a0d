using System.Globalization;
using Banking.Domain;
using KafkaEventSourcing.Projections;

namespace Banking.ReadModels;

/// <summary>What the bank's analysts and tellers query.</summary>
internal static class BankReadModels
{
    public const string Credit = "credit";
    public const string Debit = "debit";

    /// <summary>One document an account: its state now and its counts.</summary>
    public static ProjectionDefinition<AccountDocument> Accounts { get; } = ProjectionDefinition.Define<AccountDocument>("accounts")
        .Creates<AccountOpened>((opened, r) => new AccountDocument
        {
            Id = r.AggregateId.Value,
            Owner = opened.Owner,
            Currency = opened.Currency,
            Status = "open",
            Balance = 0,
            OverdraftLimit = opened.OverdraftLimit,
            Credits = 0,
            CreditTotal = 0,
            Debits = 0,
            DebitTotal = 0,
            Version = r.Version,
        })
        .Changes<AccountCredited>((account, credited, r) => account with
        {
            Balance = credited.BalanceAfter,
            Credits = account.Credits + 1,
            CreditTotal = account.CreditTotal + credited.Amount,
            LastMovementOn = Day(credited.BookedOn),
            Version = r.Version,
        })
        .Changes<AccountDebited>((account, debited, r) => account with
        {
            Balance = debited.BalanceAfter,
            Debits = account.Debits + 1,
            DebitTotal = account.DebitTotal + debited.Amount,
            LastMovementOn = Day(debited.BookedOn),
            Version = r.Version,
        })
        .Changes<OverdraftLimitSet>((account, set, r) => account with { OverdraftLimit = set.OverdraftLimit, Version = r.Version })
        .Changes<AccountFrozen>((account, _, r) => account with { Status = "frozen", Version = r.Version })
        .Changes<AccountUnfrozen>((account, _, r) => account with { Status = "open", Version = r.Version })
        .Changes<AccountClosed>((account, _, r) => account with { Status = "closed", Version = r.Version })
        .Build();

    /// <summary>One document an account and month. A month opens with what the movement that opens it found.</summary>
    public static ProjectionDefinition<StatementDocument> Statements { get; } = ProjectionDefinition.Define<StatementDocument>("statements")
        .Key<AccountCredited>((credited, r) => StatementKey(r, credited.BookedOn))
        .Key<AccountDebited>((debited, r) => StatementKey(r, debited.BookedOn))
        .Folds<AccountCredited>((statement, c, r) =>
        {
            StatementDocument open = statement ?? Opened(r, c.BookedOn, c.Currency, c.BalanceAfter - c.Amount);
            return open with { Credits = open.Credits + 1, CreditTotal = open.CreditTotal + c.Amount, Closing = open.Closing + c.Amount };
        })
        .Folds<AccountDebited>((statement, d, r) =>
        {
            StatementDocument open = statement ?? Opened(r, d.BookedOn, d.Currency, d.BalanceAfter + d.Amount);
            return open with { Debits = open.Debits + 1, DebitTotal = open.DebitTotal + d.Amount, Closing = open.Closing - d.Amount };
        })
        .Index(s => s.AccountId, s => s.Month)
        .Index(s => s.Month)
        .Build();

    /// <summary>One document a movement.</summary>
    public static ProjectionDefinition<MovementDocument> Movements { get; } = ProjectionDefinition.Define<MovementDocument>("movements")
        .Inserts<AccountCredited>((c, r) => new MovementDocument
        {
            Id = MovementKey(r),
            AccountId = r.AggregateId.Value,
            TransactionId = r.CommandId.Value,
            BookedOn = Day(c.BookedOn),
            Direction = Credit,
            Operation = Names.Of(c.Operation),
            Category = Names.Of(c.Category),
            Amount = c.Amount,
            Currency = c.Currency,
            BalanceAfter = c.BalanceAfter,
            PartnerBank = c.PartnerBank,
            PartnerAccount = c.PartnerAccount,
        })
        .Inserts<AccountDebited>((d, r) => new MovementDocument
        {
            Id = MovementKey(r),
            AccountId = r.AggregateId.Value,
            TransactionId = r.CommandId.Value,
            BookedOn = Day(d.BookedOn),
            Direction = Debit,
            Operation = Names.Of(d.Operation),
            Category = Names.Of(d.Category),
            Amount = d.Amount,
            Currency = d.Currency,
            BalanceAfter = d.BalanceAfter,
            PartnerBank = d.PartnerBank,
            PartnerAccount = d.PartnerAccount,
        })
        .Index(m => m.AccountId, m => m.BookedOn) // what tellers page through
        .Index(m => m.Category, m => m.BookedOn) // what analysts slice by
        .Build();

    /// <summary>One document a day, category and direction, over all accounts.</summary>
    public static ProjectionDefinition<DailyTotalDocument> DailyTotals { get; } = ProjectionDefinition.Define<DailyTotalDocument>(
        "daily_totals")
        .Sums<AccountCredited>((c, _) => DayTotal(c.BookedOn, c.Category, Credit, c.Currency, c.Amount))
        .Sums<AccountDebited>((d, _) => DayTotal(d.BookedOn, d.Category, Debit, d.Currency, d.Amount))
        .Adding((a, b) => a with { Count = a.Count + b.Count, Amount = a.Amount + b.Amount })
        .Index(t => t.Day, t => t.Category)
        .Build();

    // Ten digits: versions of one account sort as text in their order.
    private static string MovementKey(RecordedEvent recorded) =>
        string.Create(CultureInfo.InvariantCulture, $"{recorded.AggregateId}/{recorded.Version:D10}");

    private static string StatementKey(RecordedEvent recorded, DateOnly bookedOn) =>
        string.Create(CultureInfo.InvariantCulture, $"{recorded.AggregateId}/{bookedOn:yyyy-MM}");

    private static string DayKey(DateOnly day, Category category, string direction, string currency) =>
        string.Create(CultureInfo.InvariantCulture, $"{day:yyyy-MM-dd}/{Names.Of(category)}/{direction}/{currency}");

    private static DateTime Day(DateOnly day) => day.ToDateTime(TimeOnly.MinValue, DateTimeKind.Utc);

    private static StatementDocument Opened(RecordedEvent recorded, DateOnly bookedOn, string currency, long opening) => new()
    {
        Id = StatementKey(recorded, bookedOn),
        AccountId = recorded.AggregateId.Value,
        Month = bookedOn.ToString("yyyy-MM", CultureInfo.InvariantCulture),
        Currency = currency,
        Opening = opening,
        Credits = 0,
        CreditTotal = 0,
        Debits = 0,
        DebitTotal = 0,
        Closing = opening,
    };

    private static DailyTotalDocument DayTotal(DateOnly day, Category category, string direction, string currency, long amount) => new()
    {
        Id = DayKey(day, category, direction, currency),
        Day = Day(day),
        Category = Names.Of(category),
        Direction = direction,
        Currency = currency,
        Count = 1,
        Amount = amount,
    };
}
