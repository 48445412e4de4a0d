using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Reads records whose schema may have to be asked of the Schema Registry: while that is away, its partition waits for it and lag grows.
/// Nothing is skipped.
/// </summary>
internal sealed partial class SchemaRegistryRetry(ILogger logger, int partition)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    /// <summary>What <paramref name="read"/> makes of <paramref name="record"/>, as soon as the registry has told its schema.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled while it waited.</exception>
    public T Read<T>(ConsumeResult<byte[], byte[]> record, Func<ConsumeResult<byte[], byte[]>, T> read, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return read(record);
            }
            catch (HttpRequestException away)
            {
                LogRegistryAway(logger, away, partition, record.Topic, record.Offset.Value);
                if (cancellationToken.WaitHandle.WaitOne(RetryDelay))
                    throw new OperationCanceledException(cancellationToken);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Partition {Partition} waits for the Schema Registry, which it needs to read the record of {Topic} at {Offset}")]
    private static partial void LogRegistryAway(ILogger logger, Exception away, int partition, string topic, long offset);
}
