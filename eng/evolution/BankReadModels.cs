using System.Globalization;
using Banking.Domain;
using KafkaEventSourcing.Projections;

namespace Banking.ReadModels;

/// <summary>The read models of the bank once credits and debits are one event: documents as before.</summary>
internal static class BankReadModels
{
    public const string Credit = "credit";
    public const string Debit = "debit";

    public static ProjectionDefinition<AccountDocument> Accounts { get; } = ProjectionDefinition.Define<AccountDocument>("accounts")
        .Creates<AccountStarted>((started, r) => new AccountDocument
        {
            Id = r.AggregateId.Value,
            Owner = started.Owner,
            Currency = started.Currency,
            Status = "open",
            Balance = 0,
            OverdraftLimit = 0,
            Credits = 0,
            CreditTotal = 0,
            Debits = 0,
            DebitTotal = 0,
            Version = r.Version,
        })
        .Changes<MoneyMoved>((account, moved, r) => account with
        {
            Balance = After(moved),
            Credits = account.Credits + (IsCredit(moved) ? 1 : 0),
            CreditTotal = account.CreditTotal + (IsCredit(moved) ? moved.Amount : 0),
            Debits = account.Debits + (IsCredit(moved) ? 0 : 1),
            DebitTotal = account.DebitTotal + (IsCredit(moved) ? 0 : -moved.Amount),
            LastMovementOn = Day(moved.BookedOn),
            Version = r.Version,
        })
        .Changes<OverdraftLimitSet>((account, set, r) => account with { OverdraftLimit = set.OverdraftLimit, Version = r.Version })
        .Changes<AccountFrozen>((account, _, r) => account with { Status = "frozen", Version = r.Version })
        .Changes<AccountUnfrozen>((account, _, r) => account with { Status = "open", Version = r.Version })
        .Changes<AccountClosed>((account, _, r) => account with { Status = "closed", Version = r.Version })
        .Build();

    public static ProjectionDefinition<StatementDocument> Statements { get; } = ProjectionDefinition.Define<StatementDocument>("statements")
        .Key<MoneyMoved>((moved, r) => StatementKey(r, moved.BookedOn))
        .Folds<MoneyMoved>((statement, moved, r) =>
        {
            StatementDocument open = statement ?? Opened(r, moved);
            return open with
            {
                Credits = open.Credits + (IsCredit(moved) ? 1 : 0),
                CreditTotal = open.CreditTotal + (IsCredit(moved) ? moved.Amount : 0),
                Debits = open.Debits + (IsCredit(moved) ? 0 : 1),
                DebitTotal = open.DebitTotal + (IsCredit(moved) ? 0 : -moved.Amount),
                Closing = open.Closing + moved.Amount,
            };
        })
        .Index(s => s.AccountId, s => s.Month)
        .Index(s => s.Month)
        .Build();

    public static ProjectionDefinition<MovementDocument> Movements { get; } = ProjectionDefinition.Define<MovementDocument>("movements")
        .Inserts<MoneyMoved>((moved, r) => new MovementDocument
        {
            Id = string.Create(CultureInfo.InvariantCulture, $"{r.AggregateId}/{r.Version:D10}"),
            AccountId = r.AggregateId.Value,
            TransactionId = r.CommandId.Value,
            BookedOn = Day(moved.BookedOn),
            Direction = IsCredit(moved) ? Credit : Debit,
            Operation = Names.Of(moved.Operation),
            Category = Names.Of(moved.Category),
            Amount = Math.Abs(moved.Amount),
            Currency = moved.Currency,
            BalanceAfter = After(moved),
            PartnerBank = moved.CounterpartyBank,
        })
        .Index(m => m.AccountId, m => m.BookedOn)
        .Index(m => m.Category, m => m.BookedOn)
        .Build();

    public static ProjectionDefinition<DailyTotalDocument> DailyTotals { get; } = ProjectionDefinition.Define<DailyTotalDocument>(
        "daily_totals")
        .Sums<MoneyMoved>((moved, _) => DayTotal(moved, IsCredit(moved) ? Credit : Debit))
        .Adding((a, b) => a with { Count = a.Count + b.Count, Amount = a.Amount + b.Amount })
        .Index(t => t.Day, t => t.Category)
        .Build();

    private static bool IsCredit(MoneyMoved moved) => moved.Amount > 0;

    private static long After(MoneyMoved moved) => moved.BalanceBefore + moved.Amount;

    private static DateTime Day(DateOnly day) => day.ToDateTime(TimeOnly.MinValue, DateTimeKind.Utc);

    private static string StatementKey(RecordedEvent recorded, DateOnly bookedOn) =>
        string.Create(CultureInfo.InvariantCulture, $"{recorded.AggregateId}/{bookedOn:yyyy-MM}");

    private static StatementDocument Opened(RecordedEvent recorded, MoneyMoved moved) => new()
    {
        Id = StatementKey(recorded, moved.BookedOn),
        AccountId = recorded.AggregateId.Value,
        Month = moved.BookedOn.ToString("yyyy-MM", CultureInfo.InvariantCulture),
        Currency = moved.Currency,
        Opening = moved.BalanceBefore,
        Credits = 0,
        CreditTotal = 0,
        Debits = 0,
        DebitTotal = 0,
        Closing = moved.BalanceBefore,
    };

    private static DailyTotalDocument DayTotal(MoneyMoved moved, string direction) => new()
    {
        Id = string.Create(CultureInfo.InvariantCulture,
            $"{moved.BookedOn:yyyy-MM-dd}/{Names.Of(moved.Category)}/{direction}/{moved.Currency}"),
        Day = Day(moved.BookedOn),
        Category = Names.Of(moved.Category),
        Direction = direction,
        Currency = moved.Currency,
        Count = 1,
        Amount = Math.Abs(moved.Amount),
    };
}
