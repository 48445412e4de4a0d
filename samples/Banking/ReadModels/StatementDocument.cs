namespace Banking.ReadModels;

/// <summary>One account's month. Money is in minor units; <c>Closing = Opening + CreditTotal - DebitTotal</c>.</summary>
public sealed record StatementDocument
{
    public required string Id { get; init; }

    public required string AccountId { get; init; }

    /// <summary>The month, as <c>1993-07</c>.</summary>
    public required string Month { get; init; }

    public required string Currency { get; init; }

    public required long Opening { get; init; }

    public required long Credits { get; init; }

    public required long CreditTotal { get; init; }

    public required long Debits { get; init; }

    public required long DebitTotal { get; init; }

    public required long Closing { get; init; }
}
