namespace Banking.ReadModels;

/// <summary>One movement; never changes. Amounts are positive, in minor units.</summary>
public sealed record MovementDocument
{
    /// <summary>Account and version, so that the movements of an account sort in their order.</summary>
    public required string Id { get; init; }

    public required string AccountId { get; init; }

    public required string TransactionId { get; init; }

    public required DateTime BookedOn { get; init; }

    /// <summary>credit or debit.</summary>
    public required string Direction { get; init; }

    public required string Operation { get; init; }

    public required string Category { get; init; }

    public required long Amount { get; init; }

    public required string Currency { get; init; }

    public required long BalanceAfter { get; init; }

    public string? PartnerBank { get; init; }

    public string? PartnerAccount { get; init; }
}
