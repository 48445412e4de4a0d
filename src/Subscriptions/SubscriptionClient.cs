using System.Globalization;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>
/// Asks the node that has a partition of a subscription to act on a parked aggregate. Needs no domain code. Not thread-safe.
/// </summary>
internal sealed class SubscriptionClient(KafkaConnection connection, string topic, TimeProvider time) : IDisposable
{
    private readonly IProducer<byte[], byte[]?> _producer = new ProducerBuilder<byte[], byte[]?>(connection.Producer()).SetLogHandler(
        (_, _) => { }).SetErrorHandler((_, _) => { }).Build();
    private readonly PartitionLogReader _answers = PartitionLogReader.Tailing(connection, "subscription-answers");

    /// <summary>Asks, and waits for the answer; blocks.</summary>
    /// <param name="parked">The aggregate as it is parked.</param>
    /// <param name="skip">Whether its first event is to be passed over; else handled again.</param>
    /// <param name="by">Who asks.</param>
    /// <param name="reason">Why; needed to skip.</param>
    /// <param name="timeout">How long to wait.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="TimeoutException">No node has answered; the request stays in the topic and will be acted on.</exception>
    public SubscriptionAnswer Ask(ParkedAggregate parked, bool skip, string by, string? reason, TimeSpan timeout,
        CancellationToken cancellationToken)
    {
        var request = new SubscriptionRequest
        {
            Id = Guid.CreateVersion7(time.GetUtcNow()).ToString("N"),
            AggregateId = parked.AggregateId,
            IsSkip = skip,
            Offset = parked.Offset,
            By = by,
            Reason = reason,
        };
        DeliveryResult<byte[], byte[]?> sent = _producer.ProduceAsync(new TopicPartition(topic, parked.Partition),
            LedgerFormat.Asked(request), cancellationToken).GetAwaiter().GetResult();
        _answers.Begin(sent.TopicPartitionOffset);
        using var late = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            return _answers.Follow(static _ => { }, either.Token).Select(record => LedgerFormat.AnswerTo(request.Id, record)).First(
                answer => answer is not null)!;
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException(string.Create(CultureInfo.InvariantCulture,
                $"No node has answered within {timeout.TotalSeconds:0.#} s. The request is in {sent.Topic} "
                    + $"at {sent.Partition.Value}@{sent.Offset.Value}, and whichever node gets that partition acts on it."));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _producer.Dispose();
        _answers.Dispose();
    }
}
