using System.Collections.Concurrent;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// The owners of all partitions of one aggregate type, as the owners topic tells them, a moment behind. What it says is a hint for whom to
/// ask: the owner itself proves that it is one. Thread-safe.
/// </summary>
public sealed partial class OwnerDirectory : IAsyncDisposable
{
    private static readonly TimeSpan MetadataTimeout = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<int, Entry> _entries = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly KafkaConnection _connection;
    private readonly TopicFamily _topics;
    private readonly AvroMessageSerde _serde;
    private readonly ILogger _logger;

    private OwnerDirectory(KafkaConnection connection, TopicFamily topics, AvroMessageSerde serde, ILogger logger)
    {
        (_connection, _topics, _serde, _logger) = (connection, topics, serde, logger);
        Completion = Task.Factory.StartNew(Tail, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Ends after disposal, or faults with what stopped it.</summary>
    public Task Completion { get; }

    /// <summary>Starts to read the owners topic.</summary>
    public static OwnerDirectory Start(KafkaConnection connection, TopicFamily topics, AvroMessageSerde serde,
        ILoggerFactory loggerFactory) =>
        new(connection, topics, serde, loggerFactory.CreateLogger<OwnerDirectory>());

    /// <summary>The owner of <paramref name="partition"/>; null when none is known.</summary>
    public PartitionOwnership? Find(int partition) => EntryOf(partition).Current;

    /// <summary>All owners that are known.</summary>
    public IReadOnlyList<PartitionOwnership> All() =>
        [.. _entries.Values.Select(e => e.Current).OfType<PartitionOwnership>().OrderBy(o => o.Partition)];

    /// <summary>
    /// Completes once an owner of <paramref name="partition"/> is known that was published after <paramref name="generation"/> (-1: any).
    /// </summary>
    public Task<PartitionOwnership> AfterAsync(int partition, long generation) => EntryOf(partition).After(generation);

    /// <summary>Takes what another node has told, if it is newer than what is known.</summary>
    public void Learn(PartitionOwnership told) => EntryOf(told.Partition).Update(told);

    /// <summary>Stops reading.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private Entry EntryOf(int partition) => _entries.GetOrAdd(partition, static _ => new Entry());

    private void Tail()
    {
        using PartitionLogReader reader = PartitionLogReader.Tailing(_connection, $"{_topics.Application}-owners", _logger,
            withHeaders: false);
        using IAdminClient admin = new DependentAdminClientBuilder(reader.Handle).Build();
        reader.Begin(TopicPartitions.Of(admin, _topics.Owners, MetadataTimeout).Select(p =>
            new TopicPartitionOffset(_topics.Owners, p, Offset.Beginning)));
        try
        {
            // Owners are a hint: nothing depends on reading them at once.
            foreach (ConsumeResult<byte[], byte[]> record in reader.Follow(passing => LogReadAgain(passing.Reason), _stop.Token))
                Take(record);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    private void Take(ConsumeResult<byte[], byte[]> record)
    {
        try
        {
            if (record.Message.Value is not null && _serde.Decode(record.Message.Value) is PartitionOwner owner)
                Learn(new PartitionOwnership(record.Partition.Value, record.Offset.Value, owner.Node, AddressOf(owner), owner.Status,
                    owner.Time));
        }
        catch (Exception unreadable) when (unreadable is UndecodableMessageException or HttpRequestException)
        {
            // Without it the owner is found by the command topic, or by the next record.
            LogUnreadable(unreadable, record.Partition.Value, record.Offset.Value);
        }
    }

    private static Uri? AddressOf(PartitionOwner owner) =>
        Uri.TryCreate(owner.Address, UriKind.Absolute, out Uri? address) ? address : null;

    [LoggerMessage(Level = LogLevel.Warning, Message = "The owners topic cannot be read now; it is tried again: {Reason}")]
    private partial void LogReadAgain(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The owner of partition {Partition} in the record at {Offset} cannot be read")]
    private partial void LogUnreadable(Exception unreadable, int partition, long offset);

    private sealed class Entry
    {
        private readonly Lock _lock = new();
        private TaskCompletionSource<PartitionOwnership> _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public PartitionOwnership? Current { get; private set; }

        public void Update(PartitionOwnership told)
        {
            lock (_lock)
            {
                if (Current is { } known && known.Generation >= told.Generation)
                    return;
                Current = told;
                _next.SetResult(told);
                _next = new TaskCompletionSource<PartitionOwnership>(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        public Task<PartitionOwnership> After(long generation)
        {
            lock (_lock)
                return Current is { } known && known.Generation > generation ? Task.FromResult(known) : _next.Task;
        }
    }
}
