namespace Banking.ReadModels;

/// <summary>What all accounts together moved on one day, by direction and category. Money is in minor units.</summary>
public sealed record DailyTotalDocument
{
    public required string Id { get; init; }

    public required DateTime Day { get; init; }

    public required string Category { get; init; }

    /// <summary>credit or debit.</summary>
    public required string Direction { get; init; }

    public required string Currency { get; init; }

    public required long Count { get; init; }

    public required long Amount { get; init; }
}
