using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// A producer of Streamiz that takes nothing more once something has failed: what was given up is not written, and Streamiz, which does not
/// expect a fault while it gives up, meets none. A delivery that failed is thrown by the next call. Of one thread.
/// </summary>
internal sealed partial class StreamProducer(IProducer<byte[], byte[]> inner, ThreadOwnership ownership, bool isTransactional,
    ILogger logger) : IProducer<byte[], byte[]>
{
    private static readonly TimeSpan Room = TimeSpan.FromMilliseconds(100);

    private readonly Dictionary<Action<DeliveryReport<byte[], byte[]>>, Action<DeliveryReport<byte[], byte[]>>> _handlers = [];
    private Action<DeliveryReport<byte[], byte[]>>? _onFailure;
    private volatile Error? _failure;
    private bool _isOpen;
    private bool _isAborted;

    /// <inheritdoc/>
    public Handle Handle => inner.Handle;

    /// <inheritdoc/>
    public string Name => inner.Name;

    private bool IsOver => _isAborted || ownership.IsLost;

    /// <inheritdoc/>
    public void Produce(string topic, Message<byte[], byte[]> message, Action<DeliveryReport<byte[], byte[]>>? deliveryHandler = null) =>
        Produce(new TopicPartition(topic, Partition.Any), message, deliveryHandler);

    /// <inheritdoc/>
    public void Produce(TopicPartition topicPartition, Message<byte[], byte[]> message,
        Action<DeliveryReport<byte[], byte[]>>? deliveryHandler = null)
    {
        if (IsOver)
            return;
        try
        {
            ThrowIfFailed();
            Enqueue(topicPartition, message, HandlerOf(topicPartition.Topic, deliveryHandler));
        }
        catch (KafkaException)
        {
            ownership.Lose();
            throw;
        }
    }

    /// <inheritdoc/>
    public int Flush(TimeSpan timeout)
    {
        int left = inner.Flush(timeout);
        if (!IsOver)
            Try(ThrowIfFailed);
        return left;
    }

    /// <inheritdoc/>
    public void Flush(CancellationToken cancellationToken = default)
    {
        inner.Flush(cancellationToken);
        if (!IsOver)
            Try(ThrowIfFailed);
    }

    /// <inheritdoc/>
    public void InitTransactions(TimeSpan timeout) => inner.InitTransactions(timeout);

    /// <inheritdoc/>
    public void BeginTransaction()
    {
        if (IsOver)
            return;
        Try(inner.BeginTransaction);
        _isOpen = true;
    }

    /// <inheritdoc/>
    public void SendOffsetsToTransaction(IEnumerable<TopicPartitionOffset> offsets, IConsumerGroupMetadata groupMetadata,
        TimeSpan timeout)
    {
        if (!IsOver)
            Try(() => inner.SendOffsetsToTransaction(offsets, groupMetadata, timeout));
    }

    /// <inheritdoc/>
    public void CommitTransaction() => Commit(inner.CommitTransaction);

    /// <inheritdoc/>
    public void CommitTransaction(TimeSpan timeout) => Commit(() => inner.CommitTransaction(timeout));

    /// <inheritdoc/>
    public void AbortTransaction() => Abort(inner.AbortTransaction);

    /// <inheritdoc/>
    public void AbortTransaction(TimeSpan timeout) => Abort(() => inner.AbortTransaction(timeout));

    /// <inheritdoc/>
    public int Poll(TimeSpan timeout) => inner.Poll(timeout);

    /// <inheritdoc/>
    public Task<DeliveryResult<byte[], byte[]>> ProduceAsync(string topic, Message<byte[], byte[]> message,
        CancellationToken cancellationToken = default) => throw new NotSupportedException("Streamiz produces with a handler.");

    /// <inheritdoc/>
    public Task<DeliveryResult<byte[], byte[]>> ProduceAsync(TopicPartition topicPartition, Message<byte[], byte[]> message,
        CancellationToken cancellationToken = default) => throw new NotSupportedException("Streamiz produces with a handler.");

    /// <inheritdoc/>
    public int AddBrokers(string brokers) => inner.AddBrokers(brokers);

    /// <inheritdoc/>
    public void SetSaslCredentials(string username, string password) => inner.SetSaslCredentials(username, password);

    /// <inheritdoc/>
    public void Dispose() => inner.Dispose();

    // Streamiz commits when it closes what has failed: to it that is a commit.
    private void Commit(Action commit)
    {
        if (ownership.IsEnded)
            Abort(inner.AbortTransaction);
        else if (IsOver)
            throw new KafkaException(new Error(ErrorCode.Local_State, "What this thread had under way was given up before."));
        else
            Try(commit);
        _isOpen = false;
    }

    // One that cannot be aborted is ended by the next producer of its id, or by its time-out.
    private void Abort(Action abort)
    {
        ownership.Lose();
        if (!_isOpen)
            return;
        (_isAborted, _isOpen) = (true, false);
        try
        {
            abort();
        }
        catch (KafkaException failed)
        {
            LogNotAborted(logger, failed, Name);
        }
    }

    private void Try(Action act)
    {
        try
        {
            ThrowIfFailed();
            act();
        }
        catch (KafkaException)
        {
            ownership.Lose();
            throw;
        }
    }

    private void ThrowIfFailed()
    {
        if (_failure is { } failure)
            throw new KafkaException(failure);
    }

    // A flush of many keys is more than the client takes at once.
    private void Enqueue(TopicPartition topicPartition, Message<byte[], byte[]> message, Action<DeliveryReport<byte[], byte[]>>? handler)
    {
        while (true)
        {
            try
            {
                if (topicPartition.Partition == Partition.Any)
                    inner.Produce(topicPartition.Topic, message, handler);
                else
                    inner.Produce(topicPartition, message, handler);
                return;
            }
            catch (ProduceException<byte[], byte[]> full) when (full.Error.Code == ErrorCode.Local_QueueFull)
            {
                inner.Flush(Room);
            }
        }
    }

    // Streamiz needs the offsets in changelogs. What else was not delivered fails the transaction.
    private Action<DeliveryReport<byte[], byte[]>>? HandlerOf(string topic, Action<DeliveryReport<byte[], byte[]>>? handler)
    {
        if (handler is null)
            return null;
        if (!topic.EndsWith("-changelog", StringComparison.Ordinal))
            return isTransactional ? null : _onFailure ??= NoteFailure;
        if (!_handlers.TryGetValue(handler, out Action<DeliveryReport<byte[], byte[]>>? ours))
        {
            _handlers[handler] = ours = report =>
            {
                NoteFailure(report);
                if (!report.Error.IsError)
                    handler(report);
            };
        }

        return ours;
    }

    private void NoteFailure(DeliveryReport<byte[], byte[]> report)
    {
        if (report.Error.IsError)
            _failure ??= report.Error;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The transaction of {Producer} could not be aborted; it ends by its time-out")]
    private static partial void LogNotAborted(ILogger logger, Exception fault, string producer);
}
