namespace Banking.Domain;

/// <summary>What events of before are today.</summary>
internal static partial class Upcast
{
    public static MoneyReceived Received(AccountCredited old) => new()
    {
        Amount = old.Amount,
        Currency = old.Currency,
        BookedOn = old.BookedOn,
        Operation = old.Operation,
        Category = old.Category,
        CounterpartyBank = old.CounterpartyBank,
        BalanceBefore = old.BalanceAfter - old.Amount,
    };
}
