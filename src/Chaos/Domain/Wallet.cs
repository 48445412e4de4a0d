namespace KafkaEventSourcing.Chaos.Domain;

/// <summary>
/// A wallet: money goes in and out, never below nothing. Small, and sensitive: its state changes with every movement and with their order.
/// </summary>
internal static class Wallet
{
    /// <summary>A full wallet takes no more, so that payments can fail at their receiver too.</summary>
    public const long Room = 2_000;

    private static WalletState Empty { get; } = new() { Balance = 0, Movements = 0, Digest = 0 };

    public static AggregateDefinition<WalletState> Definition { get; } = AggregateDefinition.Define("wallet", Empty)
        .Decides<PutIn>(Put)
        .Decides<TakeOut>(Take)
        .Decides<GiveBack>((state, command) =>
            Decision.Accept(new MoneyPutIn { Amount = command.Amount, BalanceAfter = state.Balance + command.Amount }))
        .Evolves<MoneyPutIn>((state, moved) => Moved(state, moved.Amount, moved.BalanceAfter))
        .Evolves<MoneyTakenOut>((state, moved) => Moved(state, -moved.Amount, moved.BalanceAfter))
        .Build();

    private static Decision Put(WalletState state, PutIn command)
    {
        if (command.Amount <= 0)
            return Decision.Reject("invalid-amount", $"The amount is {command.Amount}; it must be positive.");
        return state.Balance + command.Amount > Room
            ? Decision.Reject("wallet-full", $"The wallet has {state.Balance}; {command.Amount} more do not fit.")
            : Decision.Accept(new MoneyPutIn { Amount = command.Amount, BalanceAfter = state.Balance + command.Amount });
    }

    private static Decision Take(WalletState state, TakeOut command)
    {
        if (command.Amount <= 0)
            return Decision.Reject("invalid-amount", $"The amount is {command.Amount}; it must be positive.");
        return state.Balance < command.Amount
            ? Decision.Reject("too-little-money", $"The wallet has {state.Balance}; {command.Amount} cannot be taken out.")
            : Decision.Accept(new MoneyTakenOut { Amount = command.Amount, BalanceAfter = state.Balance - command.Amount });
    }

    private static WalletState Moved(WalletState state, long amount, long balance) =>
        new() { Balance = balance, Movements = state.Movements + 1, Digest = unchecked((state.Digest * 1_000_003) + amount) };
}
