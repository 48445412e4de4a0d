using KafkaEventSourcing;

namespace Banking.Domain;

/// <summary>
/// The rules of a transfer, which is a process: debit the payer, credit the receiver, or give the money back. The money is with the payer,
/// with the receiver, or with a transfer that has not ended; one that could not give it back keeps it.
/// </summary>
public static class Transfer
{
    private const string DebitStep = "debit";
    private const string CreditStep = "credit";
    private const string RefundStep = "refund";
    private const string Deadline = "deadline";
    private static readonly TimeSpan DefaultPatience = TimeSpan.FromHours(1);

    private static TransferState Nothing { get; } = new()
    {
        Status = TransferStatus.None,
        Payer = "",
        Receiver = "",
        Amount = 0,
        Currency = "",
        BookedOn = default,
        Expired = false,
    };

    /// <summary>The transfer as an aggregate type that reacts.</summary>
    public static AggregateDefinition<TransferState> Definition { get; } = AggregateDefinition.Define("transfer", Nothing)
        .Decides<RequestTransfer>(Request)
        .Decides<CommandCompleted>(Answered)
        .Decides<TimerElapsed>((state, _) =>
            state is { Status: TransferStatus.Debiting, Expired: false } ? Decision.Accept(new TransferExpired()) : Decision.Nothing)
        .Evolves<TransferRequested>((_, requested) => new TransferState
        {
            Status = TransferStatus.Debiting,
            Payer = requested.Payer,
            Receiver = requested.Receiver,
            Amount = requested.Amount,
            Currency = requested.Currency,
            BookedOn = requested.BookedOn,
            Expired = false,
        })
        .Evolves<TransferExpired>((state, _) => state with { Expired = true, Reason = "The deadline has passed." })
        .Evolves<TransferDebited>((state, _) => state with { Status = state.Expired ? TransferStatus.Refunding : TransferStatus.Crediting })
        .Evolves<TransferRefused>((state, refused) => state with { Status = TransferStatus.Refused, Reason = refused.Reason })
        .Evolves<TransferCompleted>((state, _) => state with { Status = TransferStatus.Completed })
        .Evolves<TransferCreditRefused>((state, refused) => state with { Status = TransferStatus.Refunding, Reason = refused.Reason })
        .Evolves<TransferRefunded>((state, _) => state with { Status = TransferStatus.Refunded })
        .Evolves<TransferSuspended>((state, suspended) => state with { Status = TransferStatus.Suspended, Reason = suspended.Reason })
        .Reacts<TransferRequested>((state, requested) =>
            Reaction.None.Send(DebitStep, AggregateId.Parse(state.Payer), Debit(state)).At(Deadline, requested.Deadline))
        .Reacts<TransferDebited>((state, _) =>
            (state.Expired
                ? Refund(state)
                : Reaction.None.Send(CreditStep, AggregateId.Parse(state.Receiver), Credit(state))).Cancel(Deadline))
        .Reacts<TransferRefused>((_, _) => Reaction.None.Cancel(Deadline))
        .Reacts<TransferCreditRefused>((state, _) => Refund(state))
        .Build();

    /// <summary>What the transfer holds: money that its payer does not have any more and its receiver not yet.</summary>
    public static long Holds(TransferState state) =>
        state.Status is TransferStatus.Crediting or TransferStatus.Refunding or TransferStatus.Suspended ? state.Amount : 0;

    private static Decision Request(TransferState state, RequestTransfer command, CommandContext context)
    {
        if (state.Status != TransferStatus.None)
            return Decision.Reject("already-requested", "The transfer was requested already; another one needs another id.");
        foreach ((string name, string account) in ((string, string)[])[("payer", command.Payer), ("receiver", command.Receiver)])
        {
            if (!AggregateId.TryParse(account, out _, out string? error))
                return Decision.Reject("invalid-account", $"The {name} is not an account: {error}", (name, account));
        }

        if (command.Payer == command.Receiver)
            return Decision.Reject("same-account", $"Payer and receiver are both '{command.Payer}'.", ("account", command.Payer));
        if (command.Amount <= 0)
            return Decision.Reject("invalid-amount", $"The amount is {command.Amount}; it must be positive.", ("amount", command.Amount));
        if (command.Deadline <= context.Time)
            return Decision.Reject("deadline-passed", $"The deadline {command.Deadline:O} has passed.",
                ("deadline", $"{command.Deadline:O}"));
        return Decision.Accept(new TransferRequested
        {
            Payer = command.Payer,
            Receiver = command.Receiver,
            Amount = command.Amount,
            Currency = command.Currency,
            BookedOn = command.BookedOn,
            Deadline = command.Deadline ?? context.Time + DefaultPatience,
        });
    }

    private static Decision Answered(TransferState state, CommandCompleted answer) => (state.Status, answer.Step) switch
    {
        (TransferStatus.Debiting, DebitStep) =>
            Decision.Accept(answer.IsAccepted
                ? new TransferDebited()
                : new TransferRefused { Code = answer.Code, Reason = answer.Message }),
        (TransferStatus.Crediting, CreditStep) =>
            Decision.Accept(answer.IsAccepted
                ? new TransferCompleted()
                : new TransferCreditRefused { Code = answer.Code, Reason = answer.Message }),
        (TransferStatus.Refunding, RefundStep) =>
            Decision.Accept(answer.IsAccepted
                ? new TransferRefunded()
                : new TransferSuspended { Code = answer.Code, Reason = answer.Message }),
        _ => Decision.Nothing,
    };

    private static Reaction Refund(TransferState state) =>
        Reaction.None.Send(RefundStep, AggregateId.Parse(state.Payer), Credit(state) with { PartnerAccount = state.Receiver });

    private static Debit Debit(TransferState state) => new()
    {
        Amount = state.Amount,
        Currency = state.Currency,
        BookedOn = state.BookedOn,
        Operation = Operation.TransferOut,
        Category = Category.None,
        PartnerAccount = state.Receiver,
    };

    private static Credit Credit(TransferState state) => new()
    {
        Amount = state.Amount,
        Currency = state.Currency,
        BookedOn = state.BookedOn,
        Operation = Operation.TransferIn,
        Category = Category.None,
        PartnerAccount = state.Payer,
    };
}
