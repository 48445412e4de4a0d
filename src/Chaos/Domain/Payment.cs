namespace KafkaEventSourcing.Chaos.Domain;

/// <summary>A payment from wallet to wallet: a process over two aggregates, with a timer that must ring whatever happens.</summary>
internal static class Payment
{
    private const string TakeStep = "take";
    private const string GiveStep = "give";
    private const string ReturnStep = "return";
    private const string Bell = "bell";

    private static readonly TimeSpan RingsAfter = TimeSpan.FromSeconds(1);

    private static PaymentState Nothing { get; } = new() { Status = PaymentStatus.None, From = "", To = "", Amount = 0, Rang = false };

    public static AggregateDefinition<PaymentState> Definition { get; } = AggregateDefinition.Define("payment", Nothing)
        .Decides<Pay>(Begin)
        .Decides<CommandCompleted>(Answered)
        .Decides<TimerElapsed>((state, _) => state.Rang ? Decision.Nothing : Decision.Accept(new PaymentRang()))
        .Evolves<PaymentBegun>((_, begun) =>
            new PaymentState { Status = PaymentStatus.Taking, From = begun.From, To = begun.To, Amount = begun.Amount, Rang = false })
        .Evolves<PaymentTaken>((state, _) => state with { Status = PaymentStatus.Giving })
        .Evolves<PaymentRefused>((state, _) => state with { Status = PaymentStatus.Refused })
        .Evolves<PaymentDone>((state, _) => state with { Status = PaymentStatus.Done })
        .Evolves<PaymentReturning>((state, _) => state with { Status = PaymentStatus.Returning })
        .Evolves<PaymentReturned>((state, _) => state with { Status = PaymentStatus.Returned })
        .Evolves<PaymentRang>((state, _) => state with { Rang = true })
        .Reacts<PaymentBegun>((state, begun) =>
            Reaction.None.Send(TakeStep, AggregateId.Parse(state.From), new TakeOut { Amount = state.Amount }).At(Bell, begun.RingsAt))
        .Reacts<PaymentTaken>((state, _) => Reaction.None.Send(GiveStep, AggregateId.Parse(state.To), new PutIn { Amount = state.Amount }))
        .Reacts<PaymentReturning>((state, _) =>
            Reaction.None.Send(ReturnStep, AggregateId.Parse(state.From), new GiveBack { Amount = state.Amount }))
        .Build();

    /// <summary>Money that is neither with the payer nor with the receiver.</summary>
    public static long Holds(PaymentState state) => state.Status is PaymentStatus.Giving or PaymentStatus.Returning ? state.Amount : 0;

    /// <summary>Whether everything has happened that the payment began.</summary>
    public static bool IsSettled(PaymentState state) =>
        state.Rang && state.Status is PaymentStatus.Done or PaymentStatus.Refused or PaymentStatus.Returned;

    private static Decision Begin(PaymentState state, Pay command, CommandContext context)
    {
        if (state.Status != PaymentStatus.None)
            return Decision.Reject("already-begun", "The payment has begun already.");
        if (command.From == command.To || command.Amount <= 0)
            return Decision.Reject("invalid-payment", $"{command.Amount} from '{command.From}' to '{command.To}' is not a payment.");
        return Decision.Accept(new PaymentBegun
        {
            From = command.From,
            To = command.To,
            Amount = command.Amount,
            RingsAt = context.Time + RingsAfter,
        });
    }

    private static Decision Answered(PaymentState state, CommandCompleted answer)
    {
        return (state.Status, answer.Step) switch
        {
            (PaymentStatus.Taking, TakeStep) =>
                Decision.Accept(answer.IsAccepted ? new PaymentTaken() : new PaymentRefused { Code = answer.Code }),
            (PaymentStatus.Giving, GiveStep) =>
                Decision.Accept(answer.IsAccepted ? new PaymentDone() : new PaymentReturning { Code = answer.Code }),
            (PaymentStatus.Returning, ReturnStep) => Decision.Accept(new PaymentReturned()),
            _ => Decision.Nothing,
        };
    }
}
