using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// The transactions of one partition's own producer: Kafka refuses them once another task has fenced it, which is what proves that this one
/// is the partition's writer. Owned by the partition task's thread.
/// </summary>
internal sealed partial class PartitionTransactions : IDisposable
{
    private const int MaxCommitAttempts = 20;
    // whatever fits the command topic, and our headers; the topic's own limit is the same
    private const int MaxDeadLetterBytes = 2 * 1024 * 1024;

    private readonly IProducer<byte[], byte[]> _producer;
    private readonly IConsumer<byte[], byte[]> _consumer;
    private readonly ReadFence _reads;
    private readonly int _partition;
    private readonly ILogger _logger;
    private readonly CancellationToken _stop;

    /// <summary>
    /// Transactions of <paramref name="partition"/>; each that is accepted proves the <paramref name="reads"/> that wait for it. Once
    /// <paramref name="stop"/> is cancelled, what is under way is finished.
    /// </summary>
    public PartitionTransactions(PartitionContext context, int partition, ReadFence reads, CancellationToken stop)
    {
        (_consumer, _reads, _partition, _logger, _stop) = (context.Consumer, reads, partition, context.Logger, stop);
        ProducerConfig config = context.Connection.Producer();
        config.TransactionalId = $"{context.Topics.Application}-{context.Topics.Aggregate}-{partition}";
        config.TransactionTimeoutMs = (int)context.Options.TransactionTimeout.TotalMilliseconds;
        config.LingerMs = 0; // a commit waits out the linger
        config.RetryBackoffMs = 1;
        config.QueueBufferingMaxMessages = 1_000_000;
        config.DeliveryReportFields = "status";
        config.MessageMaxBytes = MaxDeadLetterBytes;
        config.Partitioner = Partitioner.Murmur2Random; // where a partition is not named: commands of processes, and their outcomes
        _producer = new ProducerBuilder<byte[], byte[]>(config)
            .SetLogHandler((_, line) => KafkaConnection.Log(_logger, line))
            .SetErrorHandler((_, _) => { })
            .Build();
        Writer = new TransactionWriter(_producer, context.Serde, context.Encoders, context.Topics, partition);
    }

    /// <summary>How long a call may take that Kafka answers.</summary>
    public static TimeSpan CallTimeout { get; } = TimeSpan.FromSeconds(30);

    /// <summary>Writes the records of the transaction that is under way.</summary>
    public TransactionWriter Writer { get; }

    /// <summary>Fences the owner before, and aborts what it left open.</summary>
    public void Fence() => _producer.InitTransactions(CallTimeout);

    /// <summary>
    /// Commits what <paramref name="write"/> writes, for itself; it does not depend on the group, and is tried again when it is aborted.
    /// </summary>
    public void Run(Action write)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                Writer.Begin();
                write();
                _reads.BeginCommit();
                Commit();
                break;
            }
            catch (KafkaTxnRequiresAbortException failed)
            {
                Abort(failed);
                if (attempt >= MaxCommitAttempts)
                    throw; // what is written here needs no group: it is not for a rebalance to pass
            }
        }

        _reads.Committed();
    }

    /// <summary>
    /// How far commands are decided is committed with the transaction; Kafka refuses it of a member that has lost its place.
    /// </summary>
    public void SendInput(TopicPartitionOffset input) =>
        _producer.SendOffsetsToTransaction([input], _consumer.ConsumerGroupMetadata, CallTimeout);

    /// <summary>Waits until all that was written is delivered or has failed.</summary>
    public void AwaitDelivery() => Writer.AwaitDelivery(_stop.IsCancellationRequested ? CancellationToken.None : _stop);

    /// <summary>Commits what was written. When the outcome stays unknown, the partition is given up, and the next restore knows.</summary>
    public void Commit()
    {
        AwaitDelivery();
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                _producer.CommitTransaction(CallTimeout);
                return;
            }
            catch (KafkaRetriableException unknown) when (attempt < MaxCommitAttempts)
            {
                LogCommitUnknown(unknown, _partition, attempt); // asking again tells
            }
        }
    }

    /// <summary>Ends the transaction without effect.</summary>
    public void Abort() => _producer.AbortTransaction(CallTimeout);

    /// <summary>Ends the transaction without effect, as Kafka asks for.</summary>
    public void Abort(KafkaTxnRequiresAbortException failed)
    {
        LogAborted(failed, _partition);
        Abort();
    }

    public void Dispose()
    {
        _producer.Dispose();
        Writer.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A batch of partition {Partition} was aborted and is decided again")]
    private partial void LogAborted(Exception failure, int partition);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The outcome of a commit of partition {Partition} is not known (attempt {Attempt}); asking again")]
    private partial void LogCommitUnknown(Exception failure, int partition, int attempt);
}
