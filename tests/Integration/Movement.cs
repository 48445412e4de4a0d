using Banking.Domain;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>Commands to accounts, short.</summary>
internal static class Movement
{
    private static readonly DateOnly Day = new(2026, 3, 1);

    public static CommandEnvelope Open(string account, long limit = 0) =>
        Of(account, $"open-{account}", new OpenAccount { Owner = "Ada", Currency = "EUR", OverdraftLimit = limit, OpenedOn = Day });

    public static CommandEnvelope Credit(string account, long amount, string? id = null) =>
        Of(account, id, new Credit
        {
            Amount = amount,
            Currency = "EUR",
            BookedOn = Day,
            Operation = Operation.CashDeposit,
            Category = Category.None,
        });

    public static CommandEnvelope Debit(string account, long amount, string? id = null) =>
        Of(account, id, new Debit
        {
            Amount = amount,
            Currency = "EUR",
            BookedOn = Day,
            Operation = Operation.CashWithdrawal,
            Category = Category.None,
        });

    private static CommandEnvelope Of(string account, string? id, object payload) =>
        new(AggregateId.Parse(account), id is null ? CommandId.New(TimeProvider.System) : CommandId.Parse(id), payload);
}
