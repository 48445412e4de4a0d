using Banking.Domain;

namespace Banking.Ledger;

/// <summary>One movement of a ledger file. Amounts are in minor units.</summary>
internal sealed record LedgerRow
{
    /// <summary>The line of the file, from 1; the header is line 1.</summary>
    public required long Line { get; init; }

    public required string TransactionId { get; init; }

    public required string AccountId { get; init; }

    public required DateOnly Date { get; init; }

    public required bool IsCredit { get; init; }

    public required Operation Operation { get; init; }

    public required long Amount { get; init; }

    public required Category Category { get; init; }

    public string? PartnerBank { get; init; }

    public string? PartnerAccount { get; init; }
}
