using Banking.Postings;

namespace Banking.Domain;

internal static partial class Upcast
{
    public static MoneyMoved In(MoneyReceived old) => new()
    {
        Amount = old.Amount,
        Currency = old.Currency,
        BookedOn = old.BookedOn,
        Operation = old.Operation,
        Category = old.Category,
        CounterpartyBank = old.CounterpartyBank,
        BalanceBefore = old.BalanceBefore,
    };

    public static MoneyMoved Out(AccountDebited old) => new()
    {
        Amount = -old.Amount,
        Currency = old.Currency,
        BookedOn = old.BookedOn,
        Operation = old.Operation,
        Category = old.Category,
        CounterpartyBank = old.CounterpartyBank,
        BalanceBefore = old.BalanceAfter + old.Amount,
    };
}
