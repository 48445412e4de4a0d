using KafkaEventSourcing;

namespace Library;

/// <summary>The rules of one copy of a book.</summary>
public static class Copy
{
    public static AggregateDefinition<CopyState> Definition { get; } = AggregateDefinition
        .Define("copy", new CopyState { Status = CopyStatus.Unknown })
        .Decides<AcquireCopy>((copy, acquire) => copy.Status == CopyStatus.Unknown
            ? Decision.Accept(new CopyAcquired { Title = acquire.Title, Author = acquire.Author })
            : Decision.Reject("already-acquired", "The copy is in the catalogue already."))
        .Decides<LendCopy>((copy, lend) => copy switch
        {
            { Status: not CopyStatus.Available } => NotAvailable(copy),
            { ReservedBy: { } member } when member != lend.Member => Decision.Reject("reserved", $"The copy is reserved for {member}."),
            _ => Decision.Accept(new CopyLent { Member = lend.Member, Due = lend.Due }),
        })
        .Decides<RenewLoan>((copy, renew) => copy switch
        {
            { Status: not CopyStatus.Lent } => NotLent,
            { ReservedBy: { } member } => Decision.Reject("reserved", $"{member} waits for the copy."),
            _ => renew.Due > copy.Due
                ? Decision.Accept(new LoanRenewed { Due = renew.Due })
                : Decision.Reject("not-later", $"The copy is due on {copy.Due:O} already.", ("due", $"{copy.Due:O}")),
        })
        .Decides<ReturnCopy>((copy, given) => copy is { Borrower: { } borrower, Due: { } due }
            ? Decision.Accept(new CopyReturned { Member = borrower, On = given.On, DaysLate = DaysLate(given.On, due) })
            : NotLent)
        .Decides<ReserveCopy>((copy, reserve) => copy switch
        {
            { Status: CopyStatus.Unknown or CopyStatus.Withdrawn } => NotAvailable(copy),
            { ReservedBy: null } => Decision.Accept(new CopyReserved { Member = reserve.Member }),
            { ReservedBy: var other } when other != reserve.Member => Decision.Reject("reserved", $"The copy is reserved for {other}."),
            _ => Decision.Nothing,
        })
        .Decides<CancelReservation>((copy, _) => copy.ReservedBy is { } member
            ? Decision.Accept(new ReservationCancelled { Member = member })
            : Decision.Nothing)
        .Decides<WithdrawCopy>((copy, withdraw) => copy.Status == CopyStatus.Available
            ? Decision.Accept(new CopyWithdrawn { Reason = withdraw.Reason })
            : NotAvailable(copy))
        .Evolves<CopyAcquired>((copy, _) => copy with { Status = CopyStatus.Available })
        .Evolves<CopyLent>((_, lent) => new CopyState { Status = CopyStatus.Lent, Borrower = lent.Member, Due = lent.Due })
        .Evolves<LoanRenewed>((copy, renewed) => copy with { Due = renewed.Due })
        .Evolves<CopyReturned>((copy, _) => copy with { Status = CopyStatus.Available, Borrower = null, Due = null })
        .Evolves<CopyReserved>((copy, reserved) => copy with { ReservedBy = reserved.Member })
        .Evolves<ReservationCancelled>((copy, _) => copy with { ReservedBy = null })
        .Evolves<CopyWithdrawn>((copy, _) => copy with { Status = CopyStatus.Withdrawn, ReservedBy = null })
        .Build();

    private static Decision NotLent => Decision.Reject("not-lent", "The copy is not lent to anybody.");

    private static Decision NotAvailable(CopyState copy) =>
        Decision.Reject("not-available", $"The copy is {copy.Status}.", ("status", copy.Status));

    private static int DaysLate(DateOnly on, DateOnly due) => Math.Max(0, on.DayNumber - due.DayNumber);
}
