namespace Banking.ReadModels;

/// <summary>An account as it is now. Money is in minor units of the currency.</summary>
public sealed record AccountDocument
{
    public required string Id { get; init; }

    public required string Owner { get; init; }

    public required string Currency { get; init; }

    /// <summary>open, frozen or closed.</summary>
    public required string Status { get; init; }

    public required long Balance { get; init; }

    public required long OverdraftLimit { get; init; }

    public required long Credits { get; init; }

    public required long CreditTotal { get; init; }

    public required long Debits { get; init; }

    public required long DebitTotal { get; init; }

    public DateTime? LastMovementOn { get; init; }

    public required long Version { get; init; }
}
