using Banking.Domain;
using Banking.ReadModels;
using KafkaEventSourcing.Hosting;

namespace Banking;

/// <summary>One account's first days, as the API page shows them.</summary>
internal static class BankExamples
{
    private static readonly DateOnly Opened = new(2026, 1, 31);
    private static readonly DateOnly Booked = new(2026, 3, 1);

    /// <summary>Adds one example of each command, state and document of accounts.</summary>
    public static EventSourcedApplication WithBankExamples(this EventSourcedApplication application) => application.WithExamples(
        new OpenAccount { Owner = "Ada Lovelace", Currency = "EUR", OverdraftLimit = 50_000, OpenedOn = Opened },
        new Credit { Amount = 120_000, Currency = "EUR", BookedOn = Booked, Operation = Operation.CashDeposit, Category = Category.None },
        new Debit
        {
            Amount = 8_050, Currency = "EUR", BookedOn = Booked, Operation = Operation.TransferOut, Category = Category.Household,
            PartnerBank = "AB", PartnerAccount = "62457513",
        },
        new SetOverdraftLimit { OverdraftLimit = 100_000 },
        new FreezeAccount { Reason = "A court has ordered it." },
        new UnfreezeAccount(),
        new CloseAccount(),
        new AccountState
        {
            Status = AccountStatus.Open,
            Owner = "Ada Lovelace",
            Currency = "EUR",
            Balance = 111_950,
            OverdraftLimit = 50_000,
            Credits = 1,
            Debits = 1,
        },
        new AccountDocument
        {
            Id = "4711", Owner = "Ada Lovelace", Currency = "EUR", Status = "open", Balance = 111_950, OverdraftLimit = 50_000, Credits = 1,
            CreditTotal = 120_000, Debits = 1,
            DebitTotal = 8_050, LastMovementOn = Midnight(Booked), Version = 3,
        },
        new StatementDocument
        {
            Id = "4711/2026-03", AccountId = "4711", Month = "2026-03", Currency = "EUR", Opening = 0, Credits = 1, CreditTotal = 120_000,
            Debits = 1, DebitTotal = 8_050, Closing = 111_950,
        },
        new MovementDocument
        {
            Id = "4711/0000000003", AccountId = "4711", TransactionId = "t-2", BookedOn = Midnight(Booked),
            Direction = BankReadModels.Debit, Operation = Names.Of(Banking.Domain.Operation.TransferOut),
            Category = Names.Of(Banking.Domain.Category.Household), Amount = 8_050, Currency = "EUR", BalanceAfter = 111_950,
            PartnerBank = "AB", PartnerAccount = "62457513",
        },
        new DailyTotalDocument
        {
            Id = "2026-03-01/household/debit/EUR", Day = Midnight(Booked), Category = Names.Of(Banking.Domain.Category.Household),
            Direction = BankReadModels.Debit, Currency = "EUR", Count = 1, Amount = 8_050,
        });

    private static DateTime Midnight(DateOnly day) => day.ToDateTime(TimeOnly.MinValue, DateTimeKind.Utc);
}
