using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// Runs the handlers of a coordinator one after the other, writes what they decide to its log, and applies it. One lock orders everything,
/// as Kafka's one event loop a shard does. Thread-safe.
/// </summary>
internal sealed class CoordinatorRuntime<TShard> : ICoordinatorTimer, IDisposable
    where TShard : ICoordinatorShard
{
    private readonly Lock _lock = new();
    private readonly UnifiedLog _log;
    private readonly TimeProvider _time;
    private readonly CoordinatorTimer _timer;
    private readonly TShard _shard;

    public CoordinatorRuntime(UnifiedLog log, TimeProvider time, ILogger logger, Func<ICoordinatorTimer, TShard> build)
    {
        (_log, _time) = (log, time);
        _timer = new CoordinatorTimer(_lock, time, logger);
        _shard = build(this);
    }

    public void Dispose() => _timer.Dispose();

    /// <summary>Reads the log from its start.</summary>
    public void Load(Func<LogRecord, CoordinatorRecord?> read)
    {
        lock (_lock)
        {
            CoordinatorLog.Replay(_log, (batch, records) =>
            {
                if (batch.IsControl)
                {
                    // The key of a marker: version, then 0 for abort and 1 for commit.
                    if (batch.Commits is { } commits) // a marker that compaction emptied marks nothing any more
                        _shard.ReplayEndTransactionMarker(batch.ProducerId, commits);
                    return;
                }

                long producerId = batch.IsTransactional ? batch.ProducerId : -1;
                foreach (LogRecord record in records)
                {
                    if (read(record) is { } known)
                        _shard.Replay(known, producerId);
                }
            });
            _shard.OnLoaded();
        }
    }

    /// <summary>Reads the state, or changes what does not outlive a restart.</summary>
    public T Read<T>(Func<TShard, T> read)
    {
        lock (_lock)
            return read(_shard);
    }

    /// <summary>Reads the state, or changes what does not outlive a restart.</summary>
    public void Read(Action<TShard> read)
    {
        lock (_lock)
            read(_shard);
    }

    public void Write(Func<TShard, CoordinatorResult> decide)
    {
        lock (_lock)
            Apply(decide(_shard));
    }

    /// <exception cref="KafkaStorageException">The log cannot be written at present; nothing was.</exception>
    public T Write<T>(Func<TShard, CoordinatorResult<T>> decide)
    {
        lock (_lock)
        {
            CoordinatorResult<T> result = decide(_shard);
            Apply(result);
            return result.Response;
        }
    }

    /// <summary>Two decisions with nothing between them; the second sees what the first one changed.</summary>
    /// <exception cref="KafkaStorageException">The log cannot be written at present.</exception>
    public T Write<T>(Func<TShard, CoordinatorResult> first, Func<TShard, CoordinatorResult<T>> second)
    {
        lock (_lock)
        {
            Write(first);
            return Write(second);
        }
    }

    /// <summary>Ends the transaction of a producer in this log: its records count, or never were.</summary>
    public ErrorCode CompleteTransaction(long producerId, short producerEpoch, bool commit, int coordinatorEpoch)
    {
        lock (_lock)
        {
            AppendResult appended = _log.AppendEndTransactionMarker(producerId, producerEpoch, commit, coordinatorEpoch);
            if (appended.Error == ErrorCode.None)
                _shard.ReplayEndTransactionMarker(producerId, commit);
            return appended.Error;
        }
    }

    public void Schedule(string key, TimeSpan delay, Func<CoordinatorResult> decide) => _timer.Schedule(key, delay, () => Apply(decide()));

    public bool IsScheduled(string key) => _timer.IsScheduled(key);

    public void Cancel(string key) => _timer.Cancel(key);

    private void Apply(CoordinatorResult decided)
    {
        for (CoordinatorResult? result = decided; result is not null;)
            result = Append(result) ? result.Applied?.Invoke() : result.Failed!();
    }

    private bool Append(CoordinatorResult result)
    {
        try
        {
            CoordinatorLog.Append(_log, result.Records, _time.GetUtcNow().ToUnixTimeMilliseconds(), result.ProducerId,
                result.ProducerEpoch);
        }
        catch (KafkaStorageException) when (result.Failed is not null)
        {
            return false;
        }

        if (result.Replays)
        {
            foreach (CoordinatorRecord record in result.Records)
                _shard.Replay(record, result.ProducerId);
        }

        return true;
    }
}
