using KafkaEventSourcing.Processing;

namespace KafkaEventSourcing.Hosting;

/// <summary>
/// How commands are decided: the section <c>Processing</c> of <see cref="KafkaEventSourcingOptions"/>. The defaults are for nearly all.
/// </summary>
public sealed class ProcessingOptions
{
    private static readonly CommandProcessorOptions Default = new() { StateDirectory = "." };

    /// <inheritdoc cref="CommandProcessorOptions.MaxBatchCommands"/>
    public int MaxBatchCommands { get; set; } = Default.MaxBatchCommands;

    /// <inheritdoc cref="CommandProcessorOptions.MaxBatchBytes"/>
    public long MaxBatchBytes { get; set; } = Default.MaxBatchBytes;

    /// <summary>
    /// The largest command, in bytes of its encoded value, at both doors. Default 900,000, below Kafka's own default limit of a record
    /// batch.
    /// </summary>
    public int MaxCommandBytes { get; set; } = Default.MaxCommandBytes;

    /// <inheritdoc cref="CommandProcessorOptions.MaxEventBytes"/>
    public int MaxEventBytes { get; set; } = Default.MaxEventBytes;

    /// <inheritdoc cref="CommandProcessorOptions.BarrierBytes"/>
    public long BarrierBytes { get; set; } = Default.BarrierBytes;

    /// <inheritdoc cref="CommandProcessorOptions.HandOverBarrierEvents"/>
    public int HandOverBarrierEvents { get; set; } = Default.HandOverBarrierEvents;

    /// <inheritdoc cref="CommandProcessorOptions.RecentCommands"/>
    public int RecentCommands { get; set; } = Default.RecentCommands;

    /// <summary>
    /// About how many bytes of memory the aggregates of one type may take that are kept in front of the stores. Null, the default: a
    /// sixteenth of the memory that the process may have, from 8 to 128 MiB, shared by the types.
    /// </summary>
    public long? CachedBytes { get; set; }

    /// <inheritdoc cref="CommandProcessorOptions.TransactionTimeout"/>
    public TimeSpan TransactionTimeout { get; set; } = Default.TransactionTimeout;

    /// <inheritdoc cref="CommandProcessorOptions.TopicCheckInterval"/>
    public TimeSpan TopicCheckInterval { get; set; } = Default.TopicCheckInterval;

    /// <summary><paramref name="basis"/> with these values; what is left open here is as it is there.</summary>
    internal CommandProcessorOptions Over(CommandProcessorOptions basis) => basis with
    {
        MaxBatchCommands = MaxBatchCommands,
        MaxBatchBytes = MaxBatchBytes,
        MaxCommandBytes = MaxCommandBytes,
        MaxEventBytes = MaxEventBytes,
        BarrierBytes = BarrierBytes,
        HandOverBarrierEvents = HandOverBarrierEvents,
        RecentCommands = RecentCommands,
        CachedBytes = CachedBytes ?? basis.CachedBytes,
        TransactionTimeout = TransactionTimeout,
        TopicCheckInterval = TopicCheckInterval,
    };

    internal void Validate() => Over(Default).Validate();
}
