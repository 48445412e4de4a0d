using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>
/// Follows the partitions of a subscription's topic that this node has, and hands on what operators ask. It has a thread of its own.
/// Thread-safe.
/// </summary>
internal sealed partial class RequestTail : IAsyncDisposable
{
    private readonly string _topic;
    private readonly Action<int, SubscriptionRequest> _ask;
    private readonly ILogger _logger;
    private readonly PartitionLogReader _reader;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly HashSet<int> _followed = [];
    private readonly Task _running;

    public RequestTail(KafkaConnection connection, string group, string topic, Action<int, SubscriptionRequest> ask, ILogger logger)
    {
        (_topic, _ask, _logger) = (topic, ask, logger);
        _reader = PartitionLogReader.Tailing(connection, $"{group}-requests", logger);
        _running = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Follows <paramref name="partition"/> from <paramref name="offset"/> on.</summary>
    public void Add(int partition, long offset)
    {
        lock (_lock)
        {
            if (!_stop.IsCancellationRequested && _followed.Add(partition))
                _reader.Add(new TopicPartitionOffset(_topic, partition, offset));
        }
    }

    public void Remove(int partition)
    {
        lock (_lock)
        {
            if (!_stop.IsCancellationRequested && _followed.Remove(partition))
                _reader.Remove(new TopicPartition(_topic, partition));
        }
    }

    public async ValueTask DisposeAsync()
    {
        lock (_lock)
            _stop.Cancel();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _reader.Dispose();
        _stop.Dispose();
    }

    private void Run()
    {
        try
        {
            while (true)
            {
                try
                {
                    ConsumeResult<byte[], byte[]> record = _reader.Next(_stop.Token);
                    if (LedgerFormat.RequestOf(record) is { } request)
                        _ask(record.Partition.Value, request);
                }
                catch (ConsumeException away)
                {
                    LogNotRead(away, _topic);
                }
                catch (InvalidDataException foreign)
                {
                    LogForeign(foreign, _topic);
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The topic {Topic} cannot be read now; it is tried again")]
    private partial void LogNotRead(Exception failure, string topic);

    [LoggerMessage(Level = LogLevel.Error, Message = "Somebody else has written to {Topic}")]
    private partial void LogForeign(Exception failure, string topic);
}
