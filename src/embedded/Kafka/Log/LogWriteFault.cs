using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// Whether a log's files can be written, as they cannot be on a full disk, and what is to be tried before it counts as over. Used under the
/// log's lock.
/// </summary>
internal sealed class LogWriteFault(TopicPartition partition, string directory)
{
    private const int MaxTriedBytes = 1024 * 1024;

    /// <summary>Who learns of it.</summary>
    public StorageHealth? Health { get; set; }

    /// <summary>Whether the last write failed.</summary>
    public bool IsFaulted { get; private set; }

    /// <summary>The size of the largest write that was refused.</summary>
    public int RefusedBytes { get; private set; }

    public AppendResult NotWritten(Exception fault, int bytes)
    {
        (IsFaulted, RefusedBytes) = (true, Math.Max(Math.Min(bytes, MaxTriedBytes), RefusedBytes));
        Health?.Failed(directory, fault);
        return new AppendResult(ErrorCode.KafkaStorageError, Message: $"The records cannot be written to {partition}: {fault.Message}");
    }

    /// <summary>A smaller write may fit where a larger one did not: that is not the end of it.</summary>
    public void Written(int bytes)
    {
        if (!IsFaulted || bytes < RefusedBytes)
            return;
        (IsFaulted, RefusedBytes) = (false, 0);
        Health?.Succeeded(directory);
    }

    /// <summary>
    /// Tries to write what was refused last, behind the records and without a trace. Without an active segment nobody writes here any more.
    /// </summary>
    public void TryWrite(LogSegment? active)
    {
        try
        {
            active?.TryWrite(RefusedBytes);
            Written(RefusedBytes);
        }
        catch (Exception fault) when (StorageHealth.IsFault(fault))
        {
            NotWritten(fault, RefusedBytes);
        }
    }
}
