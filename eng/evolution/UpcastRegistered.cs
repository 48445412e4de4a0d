namespace Banking.Domain;

internal static partial class Upcast
{
    public static IEnumerable<object> Started(AccountRegistered old) =>
    [
        new AccountStarted { Owner = old.Owner, Currency = old.Currency, OpenedOn = old.OpenedOn },
        new OverdraftLimitSet { OverdraftLimit = (long)old.OverdraftLimit },
    ];
}
