using Banking.Domain;
using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Projections.MongoDB;

namespace Banking.ReadModels;

/// <summary>What became of transfers.</summary>
internal static class TransferReadModels
{
    /// <summary>One document a transfer.</summary>
    public static ProjectionDefinition Transfers { get; } = ProjectionDefinition.Define<TransferDocument>("transfers")
        .Folds<TransferRequested>(Key, (_, requested, r) => new TransferDocument
        {
            Id = r.AggregateId.Value,
            Payer = requested.Payer,
            Receiver = requested.Receiver,
            Amount = requested.Amount,
            Currency = requested.Currency,
            Status = "debiting",
        })
        .Folds<TransferExpired>(Key, (transfer, _, _) => transfer! with { Status = "expired", Reason = "The deadline has passed." })
        .Folds<TransferDebited>(Key, (transfer, _, _) => transfer! with { Status = transfer.Status == "expired" ? "refunding" : "crediting" })
        .Folds<TransferRefused>(Key, (transfer, refused, _) => transfer! with { Status = "refused", Reason = refused.Reason })
        .Folds<TransferCompleted>(Key, (transfer, _, _) => transfer! with { Status = "completed" })
        .Folds<TransferCreditRefused>(Key, (transfer, refused, _) => transfer! with { Status = "refunding", Reason = refused.Reason })
        .Folds<TransferRefunded>(Key, (transfer, _, _) => transfer! with { Status = "refunded" })
        .Folds<TransferSuspended>(Key, (transfer, suspended, _) => transfer! with { Status = "suspended", Reason = suspended.Reason })
        .Build();

    /// <summary>The transfers of an account, and those that have not ended.</summary>
    public static MongoIndex[] TransferIndexes { get; } = [new("transfers", "payer"), new("transfers", "receiver"), new("transfers", "status")];

    private static string Key<TEvent>(TEvent _, RecordedEvent recorded) => recorded.AggregateId.Value;
}
