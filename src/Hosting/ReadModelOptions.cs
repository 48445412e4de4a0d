using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Projections.MongoDB;

namespace KafkaEventSourcing.Hosting;

/// <summary>
/// How read models are kept: the section <c>ReadModels</c> of <see cref="KafkaEventSourcingOptions"/>. The defaults are for nearly all.
/// </summary>
public sealed class ReadModelOptions
{
    private static readonly ProjectionEngineOptions Engine = new();
    private static readonly EventSubscriptionOptions Feed = new() { GroupId = "projections" };
    private static readonly MongoProjectionOptions Store = new() { ConnectionString = "mongodb://localhost", Database = "default" };

    /// <inheritdoc cref="ProjectionEngineOptions.MaxEventsPerTransaction"/>
    public int MaxEventsPerTransaction { get; set; } = Engine.MaxEventsPerTransaction;

    /// <inheritdoc cref="ProjectionEngineOptions.MaxBytesPerTransaction"/>
    public long MaxBytesPerTransaction { get; set; } = Engine.MaxBytesPerTransaction;

    /// <inheritdoc cref="ProjectionEngineOptions.MaxDocumentBytesPerTransaction"/>
    public long MaxDocumentBytesPerTransaction { get; set; } = Engine.MaxDocumentBytesPerTransaction;

    /// <summary>
    /// About how many bytes of memory the documents of one aggregate type may take that are kept for the events that come next. Null, the
    /// default: a sixteenth of the memory that the process may have, from 8 to 128 MiB, shared by the types.
    /// </summary>
    public long? CachedBytes { get; set; }

    /// <inheritdoc cref="ProjectionEngineOptions.MaxWaitingBatches"/>
    public int MaxWaitingBatches { get; set; } = Engine.MaxWaitingBatches;

    /// <inheritdoc cref="ProjectionEngineOptions.CheckInterval"/>
    public TimeSpan CheckInterval { get; set; } = Engine.CheckInterval;

    /// <inheritdoc cref="ProjectionEngineOptions.ClearPatience"/>
    public TimeSpan ClearPatience { get; set; } = Engine.ClearPatience;

    /// <summary>The most events of one batch that is read from the log. Default 10,000.</summary>
    public int MaxBatchEvents { get; set; } = Feed.MaxBatchEvents;

    /// <summary>The most bytes of one batch that is read from the log, but for a single event that is larger. Default 4 MiB.</summary>
    public long MaxBatchBytes { get; set; } = Feed.MaxBatchBytes;

    /// <summary>
    /// The most bytes of events of one aggregate type that wait to be folded. Null, the default: a sixteenth of the memory that the process
    /// may have, from 8 to 128 MiB.
    /// </summary>
    public long? MaxWaitingBytes { get; set; }

    /// <inheritdoc cref="MongoProjectionOptions.CheckpointCollection"/>
    public string CheckpointCollection { get; set; } = Store.CheckpointCollection;

    /// <inheritdoc cref="MongoProjectionOptions.RetryDelay"/>
    public TimeSpan RetryDelay { get; set; } = Store.RetryDelay;

    /// <inheritdoc cref="MongoProjectionOptions.MaxRetryDelay"/>
    public TimeSpan MaxRetryDelay { get; set; } = Store.MaxRetryDelay;

    /// <summary><paramref name="basis"/> with these values; what is left open here is as it is there.</summary>
    internal ProjectionEngineOptions Over(ProjectionEngineOptions basis) => basis with
    {
        MaxEventsPerTransaction = MaxEventsPerTransaction,
        MaxBytesPerTransaction = MaxBytesPerTransaction,
        MaxDocumentBytesPerTransaction = MaxDocumentBytesPerTransaction,
        CachedBytes = CachedBytes ?? basis.CachedBytes,
        MaxWaitingBatches = MaxWaitingBatches,
        CheckInterval = CheckInterval,
        ClearPatience = ClearPatience,
    };

    /// <inheritdoc cref="Over(ProjectionEngineOptions)"/>
    internal EventSubscriptionOptions Over(EventSubscriptionOptions basis) =>
        basis with
        {
            MaxBatchEvents = MaxBatchEvents, MaxBatchBytes = MaxBatchBytes, MaxWaitingBytes = MaxWaitingBytes ?? basis.MaxWaitingBytes,
        };

    /// <inheritdoc cref="Over(ProjectionEngineOptions)"/>
    internal MongoProjectionOptions Over(MongoProjectionOptions basis) =>
        basis with { CheckpointCollection = CheckpointCollection, RetryDelay = RetryDelay, MaxRetryDelay = MaxRetryDelay };

    internal void Validate()
    {
        Over(Engine).Validate();
        Over(Feed).Validate();
        Over(Store).Validate();
        if (string.IsNullOrWhiteSpace(CheckpointCollection))
            throw new InvalidInputException(nameof(CheckpointCollection),
                $"{nameof(CheckpointCollection)} is empty; it must be the name of a collection.");
    }
}
