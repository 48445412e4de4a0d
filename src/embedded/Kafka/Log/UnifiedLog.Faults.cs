using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>What a log does while its files cannot be written, as on a full disk: it refuses to append, gives what it has to readers, and goes on when it can.</summary>
internal sealed partial class UnifiedLog
{
    private const int MaxTriedBytes = 1024 * 1024;
    private static readonly TimeSpan FlushRetry = TimeSpan.FromSeconds(1);

    private int _refusedBytes;

    /// <summary>Who is told of it.</summary>
    public StorageHealth? Health { get; set; }

    /// <summary>Whether the last write failed.</summary>
    public bool IsFaulted { get; private set; }

    /// <summary>Tries to write what was refused last, behind the records and without a trace; what cannot be written is a fault of <see cref="Health"/>.</summary>
    public void TryWrite()
    {
        lock (_lock)
        {
            if (_closed)
            {
                Written(_refusedBytes); // nobody writes here any more
                return;
            }

            try
            {
                _segments[^1].TryWrite(_refusedBytes);
                Written(_refusedBytes);
            }
            catch (Exception fault) when (StorageHealth.IsFault(fault))
            {
                NotWritten(fault, _refusedBytes);
            }
        }
    }

    private AppendResult NotWritten(Exception fault, int bytes)
    {
        (IsFaulted, _refusedBytes) = (true, Math.Max(Math.Min(bytes, MaxTriedBytes), _refusedBytes));
        Health?.Failed(Directory, fault);
        return new AppendResult(ErrorCode.KafkaStorageError, Message: $"The records cannot be written to {Partition}: {fault.Message}");
    }

    // A smaller write may fit where a larger one did not: that is not the end of it.
    private void Written(int bytes)
    {
        if (!IsFaulted || bytes < _refusedBytes)
            return;
        (IsFaulted, _refusedBytes) = (false, 0);
        Health?.Succeeded(Directory);
    }

    private void FlushWhenDue()
    {
        lock (_lock)
        {
            _flushIsDue = false;
            if (_closed)
                return;
            try
            {
                FlushInLock();
            }
            catch (Exception fault) when (StorageHealth.IsFault(fault))
            {
                NotWritten(fault, 0);
                _flushIsDue = true;
                _flushTimer.Change(FlushRetry, Timeout.InfiniteTimeSpan);
            }
        }
    }
}
