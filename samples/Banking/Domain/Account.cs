using KafkaEventSourcing;

namespace Banking.Domain;

/// <summary>The rules of an account. Money is in minor units of the account's currency.</summary>
public static class Account
{
    private static AccountState Nothing { get; } = new()
    {
        Status = AccountStatus.None,
        Owner = "",
        Currency = "",
        Balance = 0,
        OverdraftLimit = 0,
        Credits = 0,
        Debits = 0,
    };

    /// <summary>The account as an aggregate type.</summary>
    public static AggregateDefinition<AccountState> Definition { get; } = AggregateDefinition.Define("account", Nothing)
        .Decides<OpenAccount>(Open)
        .Decides<Credit>(Credit)
        .Decides<Debit>(Debit)
        .Decides<SetOverdraftLimit>(SetLimit)
        .Decides<FreezeAccount>(Freeze)
        .Decides<UnfreezeAccount>(Unfreeze)
        .Decides<CloseAccount>(Close)
        .Evolves<AccountOpened>((_, opened) => new AccountState
        {
            Status = AccountStatus.Open,
            Owner = opened.Owner,
            Currency = opened.Currency,
            Balance = 0,
            OverdraftLimit = opened.OverdraftLimit,
            Credits = 0,
            Debits = 0,
        })
        .Evolves<AccountCredited>((state, credited) => state with { Balance = credited.BalanceAfter, Credits = state.Credits + 1 })
        .Evolves<AccountDebited>((state, debited) => state with { Balance = debited.BalanceAfter, Debits = state.Debits + 1 })
        .Evolves<OverdraftLimitSet>((state, set) => state with { OverdraftLimit = set.OverdraftLimit })
        .Evolves<AccountFrozen>((state, _) => state with { Status = AccountStatus.Frozen })
        .Evolves<AccountUnfrozen>((state, _) => state with { Status = AccountStatus.Open })
        .Evolves<AccountClosed>((state, _) => state with { Status = AccountStatus.Closed })
        .Build();

    private static Decision Open(AccountState state, OpenAccount command)
    {
        if (state.Status != AccountStatus.None)
            return Decision.Reject("already-open", $"The account is {Word(state.Status)} already; an account is opened once.",
                ("status", Word(state.Status)));
        if (string.IsNullOrWhiteSpace(command.Owner))
            return Decision.Reject("owner-missing", "An account needs an owner.");
        if (command.Currency.Length != 3 || !command.Currency.All(char.IsAsciiLetterUpper))
            return Decision.Reject("invalid-currency",
                $"'{command.Currency}' is not a currency code of three capital letters, such as CZK.", ("currency", command.Currency));
        if (command.OverdraftLimit < 0)
            return Decision.Reject("invalid-limit", $"The overdraft limit is {command.OverdraftLimit}; it must be 0 or more.",
                ("limit", command.OverdraftLimit));
        return Decision.Accept(new AccountOpened
        {
            Owner = command.Owner,
            Currency = command.Currency,
            OverdraftLimit = command.OverdraftLimit,
            OpenedOn = command.OpenedOn,
        });
    }

    private static Decision Credit(AccountState state, Credit command)
    {
        if (CannotMove(state, command.Amount, command.Currency) is { } refusal)
            return refusal;
        if (command.Amount > long.MaxValue - Math.Max(0, state.Balance))
            return Decision.Reject("amount-too-large",
                $"A credit of {command.Amount} on a balance of {state.Balance} is more than an account can hold.",
                ("amount", command.Amount), ("balance", state.Balance));
        return Decision.Accept(new AccountCredited
        {
            Amount = command.Amount,
            Currency = command.Currency,
            BookedOn = command.BookedOn,
            Operation = command.Operation,
            Category = command.Category,
            PartnerBank = command.PartnerBank,
            PartnerAccount = command.PartnerAccount,
            BalanceAfter = state.Balance + command.Amount,
        });
    }

    private static Decision Debit(AccountState state, Debit command)
    {
        if (CannotMove(state, command.Amount, command.Currency) is { } refusal)
            return refusal;
        if (state.Status == AccountStatus.Frozen)
            return Decision.Reject("account-frozen", "The account is frozen: nothing can be taken from it until it is unfrozen.");
        Int128 available = (Int128)state.Balance + state.OverdraftLimit;
        if (command.Amount > available)
        {
            return Decision.Reject("insufficient-funds",
                $"A debit of {command.Amount} needs more than the {available} that are available: balance {state.Balance}, overdraft "
                    + $"limit {state.OverdraftLimit}.",
                ("amount", command.Amount), ("available", available), ("balance", state.Balance), ("limit", state.OverdraftLimit));
        }

        return Decision.Accept(new AccountDebited
        {
            Amount = command.Amount,
            Currency = command.Currency,
            BookedOn = command.BookedOn,
            Operation = command.Operation,
            Category = command.Category,
            PartnerBank = command.PartnerBank,
            PartnerAccount = command.PartnerAccount,
            BalanceAfter = state.Balance - command.Amount,
        });
    }

    private static Decision SetLimit(AccountState state, SetOverdraftLimit command)
    {
        if (NotOpen(state) is { } refusal)
            return refusal;
        if (command.OverdraftLimit < 0)
            return Decision.Reject("invalid-limit", $"The overdraft limit is {command.OverdraftLimit}; it must be 0 or more.",
                ("limit", command.OverdraftLimit));
        if ((Int128)state.Balance + command.OverdraftLimit < 0)
        {
            return Decision.Reject("limit-below-overdraft",
                $"The account is overdrawn by {-(Int128)state.Balance}; the limit cannot be {command.OverdraftLimit}.",
                ("balance", state.Balance), ("limit", command.OverdraftLimit));
        }

        return command.OverdraftLimit == state.OverdraftLimit
            ? Decision.Nothing
            : Decision.Accept(new OverdraftLimitSet { OverdraftLimit = command.OverdraftLimit });
    }

    private static Decision Freeze(AccountState state, FreezeAccount command)
    {
        if (NotOpen(state) is { } refusal)
            return refusal;
        return state.Status == AccountStatus.Frozen ? Decision.Nothing : Decision.Accept(new AccountFrozen { Reason = command.Reason });
    }

    private static Decision Unfreeze(AccountState state, UnfreezeAccount command)
    {
        if (NotOpen(state) is { } refusal)
            return refusal;
        return state.Status == AccountStatus.Open ? Decision.Nothing : Decision.Accept(new AccountUnfrozen());
    }

    private static Decision Close(AccountState state, CloseAccount command)
    {
        if (NotOpen(state) is { } refusal)
            return refusal;
        if (state.Status == AccountStatus.Frozen)
            return Decision.Reject("account-frozen", "The account is frozen: unfreeze it before it is closed.");
        if (state.Balance != 0)
            return Decision.Reject("balance-not-zero", $"The balance is {state.Balance}; an account is closed at zero.",
                ("balance", state.Balance));
        return Decision.Accept(new AccountClosed());
    }

    private static Decision? NotOpen(AccountState state) => state.Status switch
    {
        AccountStatus.None => Decision.Reject("account-not-open", "There is no such account: open it first."),
        AccountStatus.Closed => Decision.Reject("account-closed", "The account is closed."),
        _ => null,
    };

    private static Decision? CannotMove(AccountState state, long amount, string currency)
    {
        if (NotOpen(state) is { } refusal)
            return refusal;
        if (amount <= 0)
            return Decision.Reject("invalid-amount", $"The amount is {amount}; it must be positive.", ("amount", amount));
        return currency == state.Currency
            ? null
            : Decision.Reject("currency-mismatch", $"The account is kept in {state.Currency}, not in {currency}.",
                ("account", state.Currency), ("movement", currency));
    }

    private static string Word(AccountStatus status) => status switch
    {
        AccountStatus.Open => "open",
        AccountStatus.Frozen => "frozen",
        AccountStatus.Closed => "closed",
        _ => "not open",
    };
}
