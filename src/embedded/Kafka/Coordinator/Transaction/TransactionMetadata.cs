using System.Collections.Immutable;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>The states of a transaction; the numbers are those of <c>__transaction_state</c>.</summary>
internal enum TransactionState : sbyte
{
    Empty = 0,
    Ongoing = 1,
    PrepareCommit = 2,
    PrepareAbort = 3,
    CompleteCommit = 4,
    CompleteAbort = 5,
    Dead = 6,
    PrepareEpochFence = 7,
}

/// <summary>What is known of one transactional id. Immutable: a change is written first, then it replaces this.</summary>
internal sealed record TransactionMetadata(string Id)
{
    /// <summary>The version of clients that bump the epoch with every transaction (KIP-890).</summary>
    public const short BumpingClient = 2;

    private const short LastUsableEpoch = short.MaxValue - 1;

    public long ProducerId { get; init; } = -1;

    public short ProducerEpoch { get; init; } = -1;

    /// <summary>The id before the last change of ids; -1 without one.</summary>
    public long PreviousProducerId { get; init; } = -1;

    /// <summary>The epoch before the last bump: a repeated request may still carry it. Not kept over restarts, as in Kafka.</summary>
    public short PreviousEpoch { get; init; } = -1;

    public int TimeoutMs { get; init; }

    public TransactionState State { get; init; }

    public ImmutableHashSet<TopicPartition> Partitions { get; init; } = [];

    public long StartedAt { get; init; } = -1;

    public long UpdatedAt { get; init; } = -1;

    /// <summary>2 for clients that bump the epoch with every transaction (KIP-890), 0 for others.</summary>
    public short ClientVersion { get; init; }

    public bool IsEpochExhausted => ProducerEpoch >= LastUsableEpoch;

    public bool IsEnding => State is TransactionState.PrepareCommit or TransactionState.PrepareAbort;

    /// <summary>The same under another producer id, whose epochs begin anew.</summary>
    public TransactionMetadata Rotate(long producerId) =>
        this with { PreviousProducerId = ProducerId, ProducerId = producerId, ProducerEpoch = 0 };

    public TransactionLogValue ToLog() => new()
    {
        ProducerId = ProducerId,
        PreviousProducerId = PreviousProducerId,
        ProducerEpoch = ProducerEpoch,
        TransactionTimeoutMs = TimeoutMs,
        TransactionStatus = (sbyte)State,
        TransactionPartitions = State == TransactionState.Empty ? null
            : [.. Partitions.GroupBy(p => p.Topic).Select(g =>
                new TransactionLogValue.PartitionsOfTopic { Topic = g.Key, PartitionIds = [.. g.Select(p => p.Partition)] })],
        TransactionLastUpdateTimestampMs = UpdatedAt,
        TransactionStartTimestampMs = StartedAt,
        ClientTransactionVersion = ClientVersion,
    };

    public static TransactionMetadata FromLog(string id, TransactionLogValue value) => new(id)
    {
        ProducerId = value.ProducerId,
        PreviousProducerId = value.PreviousProducerId,
        ProducerEpoch = value.ProducerEpoch,
        TimeoutMs = value.TransactionTimeoutMs,
        State = (TransactionState)value.TransactionStatus,
        Partitions = [.. (value.TransactionPartitions ?? []).SelectMany(t => t.PartitionIds.Select(p => new TopicPartition(t.Topic, p)))],
        StartedAt = value.TransactionStartTimestampMs,
        UpdatedAt = value.TransactionLastUpdateTimestampMs,
        ClientVersion = value.ClientTransactionVersion,
    };
}
