using System.Globalization;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Asks the owners of partitions to process dead letters again or to discard them. Needs no domain code. Not thread-safe.
/// </summary>
public sealed class DeadLetterClient : IDisposable
{
    private readonly TopicFamily _topics;
    private readonly AvroMessageSerde _serde;
    private readonly TimeProvider _time;
    private readonly IProducer<byte[]?, byte[]?> _producer;
    private readonly PartitionLogReader _replies;
    private readonly string _replyTo;

    /// <summary>A client of <paramref name="topics"/>.</summary>
    /// <exception cref="KafkaException">The cluster does not answer, or does not have the topics.</exception>
    public DeadLetterClient(KafkaConnection connection, TopicFamily topics, AvroMessageSerde serde, TimeProvider timeProvider)
    {
        (_topics, _serde, _time) = (topics, serde, timeProvider);
        _producer = new ProducerBuilder<byte[]?, byte[]?>(connection.Producer()).SetLogHandler((_, _) => { }).SetErrorHandler(
            (_, _) => { }).Build();
        _replies = PartitionLogReader.Tailing(connection, $"{topics.Application}-dead-letters");
        var source = new TopicPartition(topics.Replies, 0);
        _replyTo = string.Create(CultureInfo.InvariantCulture, $"0/{Guid.CreateVersion7(timeProvider.GetUtcNow()):N}");
        _replies.Begin(new TopicPartitionOffset(source, _replies.Bounds(source, CancellationToken.None).High));
    }

    /// <summary>Sends <paramref name="request"/> to the owner of <paramref name="partition"/> and waits for its answer; blocks.</summary>
    /// <param name="partition">The partition of the letters.</param>
    /// <param name="aggregateId">Whose letters; <c>default</c>: a letter that stands alone, which the request names.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="timeout">How long to wait.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns><see cref="ReplyOutcome.Accepted"/> when all is done; else why not, and what was done is in the details.</returns>
    /// <exception cref="TimeoutException">No owner has answered; the request is in the command topic and will be acted on.</exception>
    public CommandReply Ask(int partition, AggregateId aggregateId, DeadLetterRequest request, TimeSpan timeout,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        CommandId id = CommandId.New(_time);
        byte[] idBytes = Encoding.UTF8.GetBytes(id.Value);
        DeliveryResult<byte[]?, byte[]?> sent = _producer.ProduceAsync(new TopicPartition(_topics.Commands, partition),
            request.ToMessage(aggregateId, id, _replyTo), cancellationToken).GetAwaiter().GetResult();
        using var late = new CancellationTokenSource(timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            foreach (ConsumeResult<byte[], byte[]> record in _replies.Follow(static _ => { }, either.Token))
            {
                if (CloudEventHeaders.Find(record.Message.Headers, CloudEventHeaders.CausationId).AsSpan().SequenceEqual(idBytes))
                    return (CommandReply)_serde.Decode(record.Message.Value);
            }

            throw new System.Diagnostics.UnreachableException("Whoever follows a partition does so until it is cancelled.");
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
        _replies.Dispose();
    }
}
