namespace Banking.ReadModels;

/// <summary>A transfer, for whoever asks what became of it.</summary>
internal sealed record TransferDocument
{
    public required string Id { get; init; }

    public required string Payer { get; init; }

    public required string Receiver { get; init; }

    public required long Amount { get; init; }

    public required string Currency { get; init; }

    public required string Status { get; init; }

    public string? Reason { get; init; }
}
