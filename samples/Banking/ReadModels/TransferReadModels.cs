using Banking.Domain;
using KafkaEventSourcing.Projections;

namespace Banking.ReadModels;

/// <summary>What became of transfers.</summary>
internal static class TransferReadModels
{
    /// <summary>One document a transfer.</summary>
    public static ProjectionDefinition<TransferDocument> Transfers { get; } = ProjectionDefinition.Define<TransferDocument>("transfers")
        .Creates<TransferRequested>((requested, r) => new TransferDocument
        {
            Id = r.AggregateId.Value,
            Payer = requested.Payer,
            Receiver = requested.Receiver,
            Amount = requested.Amount,
            Currency = requested.Currency,
            Status = "debiting",
        })
        .Changes<TransferExpired>((transfer, _) => transfer with { Status = "expired", Reason = "The deadline has passed." })
        .Changes<TransferDebited>((transfer, _) => transfer with { Status = transfer.Status == "expired" ? "refunding" : "crediting" })
        .Changes<TransferRefused>((transfer, refused) => transfer with { Status = "refused", Reason = refused.Reason })
        .Changes<TransferCompleted>((transfer, _) => transfer with { Status = "completed" })
        .Changes<TransferCreditRefused>((transfer, refused) => transfer with { Status = "refunding", Reason = refused.Reason })
        .Changes<TransferRefunded>((transfer, _) => transfer with { Status = "refunded" })
        .Changes<TransferSuspended>((transfer, suspended) => transfer with { Status = "suspended", Reason = suspended.Reason })
        .Index(t => t.Payer)
        .Index(t => t.Receiver)
        .Index(t => t.Status)
        .Build();
}
