using KafkaEventSourcing;
using KafkaEventSourcing.Projections;

namespace Library;

public sealed record CatalogueEntry(string Id, string Title, string Author, CopyStatus Status, DateOnly? Due = null);

public sealed record MemberAccount(string Id, string Name = "", int Loans = 0, long Owes = 0);

public sealed record PastLoan(string Id, string Copy, string Member, DateOnly ReturnedOn, int DaysLate);

public sealed record BusyDay(string Id, int Lent, int Returned);

public static class ReadModels
{
    /// <summary>What readers look through: one document a copy.</summary>
    public static ProjectionDefinition<CatalogueEntry> Catalogue { get; } = ProjectionDefinition.Define<CatalogueEntry>("catalogue")
        .Creates<CopyAcquired>((acquired, e) => new(e.AggregateId.Value, acquired.Title, acquired.Author, CopyStatus.Available))
        .Changes<CopyLent>((entry, lent) => entry with { Status = CopyStatus.Lent, Due = lent.Due })
        .Changes<LoanRenewed>((entry, renewed) => entry with { Due = renewed.Due })
        .Changes<CopyReturned>((entry, _) => entry with { Status = CopyStatus.Available, Due = null })
        .Deletes<CopyWithdrawn>()
        .Index(entry => entry.Author, entry => entry.Title)
        .Build();

    /// <summary>What the desk sees of a member: from the events of members and of the copies that they borrow.</summary>
    public static ProjectionDefinition<MemberAccount> Accounts { get; } = ProjectionDefinition.Define<MemberAccount>("accounts")
        .Key<CopyLent>(lent => lent.Member)
        .Key<CopyReturned>(returned => returned.Member)
        .Initially(member => new MemberAccount(member))
        .Changes<MemberRegistered>((account, registered) => account with { Name = registered.Name })
        .Changes<FineCharged>((account, charged) => account with { Owes = account.Owes + charged.Cents })
        .Changes<FinePaid>((account, paid) => account with { Owes = account.Owes - paid.Cents })
        .Changes<CopyLent>((account, _) => account with { Loans = account.Loans + 1 })
        .Changes<CopyReturned>((account, _) => account with { Loans = account.Loans - 1 })
        .Index(i => i.Descending(account => account.Owes))
        .Build();

    /// <summary>One document a loan that has ended.</summary>
    public static ProjectionDefinition<PastLoan> PastLoans { get; } = ProjectionDefinition.Define<PastLoan>("past_loans")
        .Inserts<CopyReturned>((r, e) => new PastLoan($"{e.AggregateId}/{e.Version}", e.AggregateId.Value, r.Member, r.On, r.DaysLate))
        .Index(i => i.Ascending(loan => loan.Member).Descending(loan => loan.ReturnedOn))
        .Build();

    /// <summary>How much there is to do, by day.</summary>
    public static ProjectionDefinition<BusyDay> BusyDays { get; } = ProjectionDefinition.Define<BusyDay>("busy_days")
        .Sums<CopyLent>((_, e) => new BusyDay(Day(e), 1, 0))
        .Sums<CopyReturned>((_, e) => new BusyDay(Day(e), 0, 1))
        .Adding((a, b) => a with { Lent = a.Lent + b.Lent, Returned = a.Returned + b.Returned })
        .Build();

    private static string Day(RecordedEvent e) => $"{DateOnly.FromDateTime(e.Time.UtcDateTime):O}";
}
