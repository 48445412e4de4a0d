using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.EventLog;

/// <summary>The committed offsets of a consumer group, for a member of it. The calls block; they are made on the consumer's thread.</summary>
internal sealed partial class GroupPositions(IConsumer<byte[], byte[]> consumer, string topic, SubscriptionContext context)
{
    private static readonly TimeSpan Attempt = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>Where the group goes on in <paramref name="partition"/>; null: it has no offset there.</summary>
    /// <exception cref="KafkaException">Kafka does not say within a minute.</exception>
    public long? Find(int partition, CancellationToken cancellationToken)
    {
        var patience = new KafkaPatience(Patience, context.Time);
        while (true)
        {
            try
            {
                Offset committed = consumer.Committed([new TopicPartition(topic, partition)], Attempt)[0].Offset;
                return committed == Offset.Unset ? null : committed.Value;
            }
            catch (KafkaException away) when (patience.Outlasts(away.Error))
            {
                patience.Wait(cancellationToken);
            }
        }
    }

    /// <summary>Commits where <paramref name="partition"/> begins, so that it does not begin elsewhere when nothing is handled before it moves or the node restarts.</summary>
    /// <exception cref="KafkaException">Kafka does not take it.</exception>
    public void Begin(int partition, long? offset, CancellationToken cancellationToken)
    {
        LogBegins(context.Logger, context.Options.GroupId, topic, partition, offset ?? 0);
        if (offset is not { } from)
            return; // at the first event; whoever asks again is told the same
        var patience = new KafkaPatience(Patience, context.Time);
        while (true)
        {
            try
            {
                consumer.Commit([new TopicPartitionOffset(topic, partition, from)]);
                return;
            }
            catch (KafkaException moving) when (moving.Error.Code is ErrorCode.RebalanceInProgress or ErrorCode.IllegalGeneration or ErrorCode.UnknownMemberId)
            {
                return; // the group is moving on; what is handled is committed then, and whoever gets the partition instead asks again
            }
            catch (KafkaException away) when (patience.Outlasts(away.Error))
            {
                patience.Wait(cancellationToken);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Group} has no offset for {Topic}, partition {Partition}, and begins at {Offset}: it is new, or its offsets have expired while no node ran")]
    private static partial void LogBegins(ILogger logger, string group, string topic, int partition, long offset);
}
