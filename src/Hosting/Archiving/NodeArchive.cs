using System.Collections.Concurrent;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Archive;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Processing;
using KafkaEventSourcing.Projections;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting.Archiving;

/// <summary>
/// The archive of a node: archives the partitions that the node owns, one range after the other on a thread of its own, and takes events
/// out of their topics that may leave. What cannot be done now is tried again at the next look. Thread-safe.
/// </summary>
internal sealed partial class NodeArchive : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly IArchiveStore _store;
    private readonly ArchiveOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<(string Aggregate, int Partition), string> _problems = [];
    private Task _running = Task.CompletedTask;

    /// <summary>An archive in <paramref name="store"/>, which it disposes of.</summary>
    public NodeArchive(IArchiveStore store, ApplicationDefinition application, KafkaConnection kafka, ArchiveOptions options,
        TimeProvider time, ILoggerFactory loggers)
    {
        (_store, _options, _time, _logger) = (store, options, time, loggers.CreateLogger<NodeArchive>());
        Reader = new ArchiveReader(store, application.Aggregates.Select(application.TopicsOf), new TopicIdCache(kafka, time).Of);
    }

    /// <summary>Reads what is archived.</summary>
    public ArchiveReader Reader { get; }

    /// <summary>What is wrong with partitions that cannot be archived now, or whose events cannot leave.</summary>
    public IReadOnlyDictionary<(string Aggregate, int Partition), string> Problems => _problems;

    /// <summary>Begins to archive what <paramref name="aggregates"/> own.</summary>
    public void Start(ApplicationDefinition application, IReadOnlyList<AggregateNode> aggregates, KafkaConnection kafka,
        ISchemaRegistryClient registry, AvroMessageSerde serde, IReadOnlyDictionary<string, string> streamSnapshots,
        IProjectionStore? readModels) =>
        _running = Task.Factory.StartNew(
            () =>
            {
                AggregateArchive[] all = [.. aggregates.Select(a => new AggregateArchive(
                    a.Processor,
                    a.Definition.Name,
                    new RangeArchiver(_store, kafka, a.Topics, new WriterSchemas(registry), _options, _time, _logger),
                    new RetentionMarks(
                        a.Topics,
                        kafka,
                        Reader,
                        _options,
                        new SnapshotCoverage(kafka, a.Topics, serde, streamSnapshots.TryGetValue(a.Definition.Name, out string? topic)
                            ? topic
                            : null),
                        new ReadModelMarks(application, a.Definition, readModels).Of,
                        [.. application.Subscriptions.Where(s => s.Aggregates.Contains(a.Definition))
                            .Select(s => s.GroupOf(application.Name, a.Definition))],
                        _time)))];
                try
                {
                    Run(all);
                }
                finally
                {
                    foreach (AggregateArchive aggregate in all)
                        aggregate.Dispose();
                }
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Ends the archiving; what is archived can still be read.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync().ConfigureAwait(false);
        await _store.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private void Run(AggregateArchive[] all)
    {
        while (!_stop.IsCancellationRequested)
        {
            foreach (AggregateArchive aggregate in all)
            {
                int[] owned = [.. aggregate.Processor.Partitions.Where(p => p.Value == PartitionStatus.Serving).Select(p => p.Key).Order()];
                foreach ((string Aggregate, int Partition) given in _problems.Keys.Where(k =>
                    k.Aggregate == aggregate.Name && !owned.Contains(k.Partition)))
                    _problems.TryRemove(given, out _);
                foreach (int partition in owned)
                {
                    if (_stop.IsCancellationRequested)
                        return;
                    Try(aggregate, partition);
                }
            }

            _stop.Token.WaitHandle.WaitOne(_options.Interval);
        }
    }

    private void Try(AggregateArchive aggregate, int partition)
    {
        try
        {
            Work(aggregate, partition);
            _problems.TryRemove((aggregate.Name, partition), out _);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // A range that is begun is gone on with later.
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            // Whatever it is, the health check has it, and nothing leaves the topic; other partitions go on.
            if (!_problems.TryGetValue((aggregate.Name, partition), out string? before) || before != failure.Message)
                LogFailed(_logger, failure, aggregate.Name, partition);
            _problems[(aggregate.Name, partition)] = failure.Message;
        }
    }

    private void Work(AggregateArchive aggregate, int partition)
    {
        while (aggregate.Processor.EventsTopicOf(partition) is { } topic
            && aggregate.Ranges.ArchiveNextAsync(partition, topic, all: false, _stop.Token).GetAwaiter().GetResult() is not null)
        {
        }

        if (!_options.HasRetention)
            return;
        PartitionRetention status = aggregate.Marks.Of(partition, _stop.Token);
        if (status.DueTo <= status.Start)
            return;
        if ((status.Marks.First(m => m.Name == RetentionMarks.Snapshots).Next ?? 0) < status.DueTo)
            aggregate.Processor.RequestBarrier(partition);
        IReadOnlyList<RangeSummary> leaving = aggregate.Marks.Leaving(status, _stop.Token);
        if (leaving.Count == 0)
            return;
        foreach (RangeSummary range in leaving)
            Reader.Compare(range, _stop.Token);
        if (aggregate.Processor.EventsTopicOf(partition) is null)
            return; // it has another owner by now, which does it
        aggregate.Marks.Delete(partition, leaving[^1].End);
        LogLeft(_logger, aggregate.Name, partition, status.Start, leaving[^1].End);
    }

    [LoggerMessage(Level = LogLevel.Information,
        Message = "{Aggregate}, partition {Partition}: the events from offset {Start} to {End} have left their topic; they are in the "
            + "archive")]
    private static partial void LogLeft(ILogger logger, string aggregate, int partition, long start, long end);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "{Aggregate}, partition {Partition}, cannot be archived now; it is tried again, and nothing leaves its topic meanwhile")]
    private static partial void LogFailed(ILogger logger, Exception failure, string aggregate, int partition);

    private sealed record AggregateArchive(CommandProcessor Processor, string Name, RangeArchiver Ranges, RetentionMarks Marks)
        : IDisposable
    {
        public void Dispose()
        {
            Ranges.Dispose();
            Marks.Dispose();
        }
    }
}
