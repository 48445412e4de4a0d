using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>What the partition tasks of one processor share.</summary>
internal sealed record PartitionContext(
    AggregateDefinition Definition,
    TopicFamily Topics,
    KafkaConnection Connection,
    AvroMessageSerde Serde,
    ProcessorEncoders Encoders,
    NodeIdentity Node,
    int Partitions,
    int ReplyPartitions,
    IConsumer<byte[], byte[]> Consumer,
    CommandProcessorOptions Options,
    TimeProvider Time,
    ILogger Logger)
{
    /// <summary>Reports producers whose commands lie on wrong partitions.</summary>
    public MisplacedCommandWarnings Misplaced { get; } = new(Topics, Partitions, Logger, Time);

    /// <summary>Held while a store gets events that it lacks: it must not take the machine from the deciding.</summary>
    public SemaphoreSlim Backfills { get; } = new(1);

    /// <summary>How many partitions share what a node has: those that it owns, and its copies of others.</summary>
    public Func<int> Sharing { get; set; } = static () => 1;

    /// <summary>About how many bytes one partition may keep in front of its store.</summary>
    public long CachedBytes() => ShareOf(Options.CachedBytes);

    /// <summary>The most command bytes that may wait for one partition.</summary>
    public long MaxWaitingBytes() => ShareOf(Options.MaxWaitingBytes);

    /// <summary>Closes this node's warm copy of a partition, if it has one, so that its store can be opened.</summary>
    public Action<int> YieldStandby { get; set; } = static _ => { };

    /// <summary>
    /// Has the consumer's thread begin again at another offset of a partition's command topic, and tell the task
    /// (<see cref="CommandIntake.Restart"/>).
    /// </summary>
    public Action<PartitionTask, long> Reposition { get; set; } = static (_, _) => { };

    private long ShareOf(long ofNode) => Math.Max(CommandProcessorOptions.MinShare, ofNode / Math.Max(1, Sharing()));
}
