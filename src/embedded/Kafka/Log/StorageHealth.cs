using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// The places whose files cannot be written at present. A place is named when a write fails, and no more once one there succeeds: of a
/// client, or of the broker that tries now and then. Thread-safe.
/// </summary>
internal sealed partial class StorageHealth(TimeProvider time, ILogger logger)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, StorageFault> _faults = [];
    private StorageFault? _first;

    /// <summary>The fault that has lasted longest; null: all can be written.</summary>
    public StorageFault? Fault => Volatile.Read(ref _first);

    public IReadOnlyList<string> Places
    {
        get
        {
            lock (_lock)
                return [.. _faults.Keys];
        }
    }

    /// <summary>Whether files could not be used, as opposed to a mistake in what was asked, or of ours.</summary>
    public static bool IsFault(Exception failure) => failure is IOException or UnauthorizedAccessException;

    public void Failed(string place, Exception failure)
    {
        lock (_lock)
        {
            if (_faults.ContainsKey(place))
                return;
            _faults[place] = new StorageFault(place, failure.Message, time.GetUtcNow());
            Publish();
        }

        LogFault(place, failure.Message);
    }

    public void Succeeded(string place)
    {
        if (Fault is null)
            return;
        lock (_lock)
        {
            if (!_faults.Remove(place))
                return;
            Publish();
        }

        LogOver(place);
    }

    private void Publish() => Volatile.Write(ref _first, _faults.Values.MinBy(f => f.Since));

    [LoggerMessage(Level = LogLevel.Error,
        Message = "{Place} cannot be written: {Reason} Writes are refused until it can; this is tried every second")]
    private partial void LogFault(string place, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Place} can be written again")]
    private partial void LogOver(string place);
}
