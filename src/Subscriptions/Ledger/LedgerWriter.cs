using System.Threading.Channels;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>
/// Writes a subscription's topic. Each write is a transaction that commits the group's offset too, with the generation of this member: who
/// has lost its partitions and does not know it writes nothing, and what the topic says and what the group says are one. What waits is
/// written together. It has a thread of its own, as librdkafka's calls block. Thread-safe.
/// </summary>
internal sealed partial class LedgerWriter : IAsyncDisposable
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private const int TransactionTimeoutMs = 10_000;
    private const int MaxTogether = 1_000;

    private readonly KafkaConnection _connection;
    private readonly string _group;
    private readonly string _events;
    private readonly string _ledger;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Channel<PendingWrite> _writes = Channel.CreateUnbounded<PendingWrite>(
        new UnboundedChannelOptions { SingleReader = true });
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private IProducer<byte[], byte[]?>? _producer;
    private volatile IConsumer<byte[], byte[]>? _member;

    /// <summary>Writes <paramref name="ledger"/> for the <paramref name="group"/> that reads <paramref name="events"/>.</summary>
    public LedgerWriter(KafkaConnection connection, string group, string events, string ledger, TimeProvider time, ILogger logger)
    {
        (_connection, _group, _events, _ledger, _time, _logger) = (connection, group, events, ledger, time, logger);
        _running = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>The member of the group that has the partitions.</summary>
    public IConsumer<byte[], byte[]> Member
    {
        set => _member = value;
    }

    /// <summary>
    /// Writes <paramref name="records"/> to <paramref name="partition"/>, and that the events before <paramref name="next"/> are handled.
    /// What passes is tried again for half a minute.
    /// </summary>
    /// <exception cref="KafkaException">It is not written, or may be and is not known to be.</exception>
    /// <exception cref="OperationCanceledException">The same, as <paramref name="cancellationToken"/> was cancelled.</exception>
    public Task Write(int partition, LedgerMark next, IReadOnlyList<Message<byte[], byte[]?>> records, CancellationToken cancellationToken)
    {
        var write = new PendingWrite(partition, next, records, cancellationToken);
        if (!_writes.Writer.TryWrite(write))
            throw new OperationCanceledException("The subscription has ended.");
        return write.Done.Task;
    }

    public async ValueTask DisposeAsync()
    {
        _writes.Writer.TryComplete();
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private void Run()
    {
        var together = new List<PendingWrite>();
        while (_writes.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult()) // this thread is the writer's own
        {
            together.Clear();
            while (together.Count < MaxTogether && _writes.Reader.TryRead(out PendingWrite? write))
                together.Add(write);
            Commit(together);
        }

        _producer?.Dispose();
    }

    private void Commit(List<PendingWrite> together)
    {
        var patience = new KafkaPatience(Patience, _time);
        while (true)
        {
            foreach (PendingWrite given in together.Where(w => w.Token.IsCancellationRequested))
                given.Done.TrySetCanceled(given.Token);
            together.RemoveAll(w => w.Done.Task.IsCompleted);
            if (together.Count == 0)
                return;
            try
            {
                CommitOnce(together);
                together.ForEach(w => w.Done.TrySetResult());
                return;
            }
            catch (Exception failed) when (failed is KafkaException or InvalidOperationException)
            {
                bool passes = GiveUp(failed) && !patience.IsOver && !_stop.IsCancellationRequested;
                LogNotWritten(failed, _group, _ledger);
                if (!passes)
                {
                    KafkaException reason = failed as KafkaException
                        ?? new KafkaException(new Error(ErrorCode.Local_State, failed.Message), failed);
                    together.ForEach(w => w.Done.TrySetException(reason));
                    return;
                }
            }

            try
            {
                patience.Wait(_stop.Token);
            }
            catch (OperationCanceledException)
            {
                together.ForEach(w => w.Done.TrySetCanceled());
                return;
            }
        }
    }

    private void CommitOnce(List<PendingWrite> together)
    {
        IConsumer<byte[], byte[]> member = _member ?? throw new InvalidOperationException("Nothing is assigned yet.");
        IProducer<byte[], byte[]?> producer = _producer ??= Build();
        producer.BeginTransaction();
        foreach (PendingWrite write in together)
        {
            var target = new TopicPartition(_ledger, write.Partition);
            foreach (Message<byte[], byte[]?> record in write.Records)
                producer.Produce(target, record);
        }

        Dictionary<int, LedgerMark> positions = [];
        foreach (PendingWrite write in together)
            positions[write.Partition] = write.Next;
        foreach ((int partition, LedgerMark next) in positions)
            producer.Produce(new TopicPartition(_ledger, partition), LedgerFormat.PositionAt(next));
        producer.SendOffsetsToTransaction(positions.Select(p => new TopicPartitionOffset(_events, p.Key, p.Value.Next)),
            member.ConsumerGroupMetadata, CallTimeout);
        producer.CommitTransaction(CallTimeout);
    }

    private IProducer<byte[], byte[]?> Build()
    {
        ProducerConfig config = _connection.Producer();
        // who may write is decided by the group, not by this id
        config.TransactionalId = $"{_group}-{Guid.CreateVersion7(_time.GetUtcNow()):N}";
        config.TransactionTimeoutMs = TransactionTimeoutMs;
        config.LingerMs = 0; // a commit waits out the linger
        IProducer<byte[], byte[]?> producer = new ProducerBuilder<byte[], byte[]?>(config)
            .SetLogHandler((_, line) => KafkaConnection.Log(_logger, line))
            .SetErrorHandler((_, _) => { })
            .Build();
        try
        {
            producer.InitTransactions(CallTimeout);
            return producer;
        }
        catch
        {
            producer.Dispose();
            throw;
        }
    }

    // Ends the transaction; a producer that cannot go on is replaced. False: it is refused for good.
    private bool GiveUp(Exception failed)
    {
        try
        {
            if (_producer is not null && failed is KafkaTxnRequiresAbortException)
            {
                _producer.AbortTransaction(CallTimeout);
                return true;
            }
        }
        catch (KafkaException)
        {
            // It is replaced: the transaction ends by its time-out.
        }

        _producer?.Dispose();
        _producer = null;
        return failed is KafkaTxnRequiresAbortException or KafkaRetriableException or InvalidOperationException
            || (failed is KafkaException kafka
                && (KafkaPatience.IsPassing(kafka.Error) || kafka.Error.IsFatal || kafka.Error.IsLocalError));
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Group}: {Topic} could not be written; it is tried again")]
    private partial void LogNotWritten(Exception failure, string group, string topic);

    private sealed record PendingWrite(int Partition, LedgerMark Next, IReadOnlyList<Message<byte[], byte[]?>> Records,
        CancellationToken Token)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
