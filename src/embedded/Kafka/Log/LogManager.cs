using System.Collections.Concurrent;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>All logs of the broker, one folder each, and the checkpoints that hold for all.</summary>
internal sealed partial class LogManager : IDisposable
{
    private const string CleanShutdownFile = ".kafka_cleanshutdown";
    private const string StartOffsetsFile = "log-start-offset-checkpoint";
    private const string RecoveryPointsFile = "recovery-point-offset-checkpoint";

    // A start after a crash checks no more than this, and what came since the last look at it, of each log.
    private const long FlushAtBytes = 16 * 1024 * 1024;

    private readonly ConcurrentDictionary<TopicPartition, UnifiedLog> _logs = [];
    private readonly string _directory;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly LogCleaner _cleaner;
    private readonly bool _clean;
    private readonly Lock _openLock = new();
    private readonly Lock _checkpointLock = new();
    private readonly Dictionary<TopicPartition, long> _startOffsets;
    private readonly Dictionary<TopicPartition, long> _recoveryPoints;
    private readonly List<(string Folder, long DueAt)> _doomed = [];

    public LogManager(string directory, TimeProvider time, ILogger logger)
    {
        (_directory, _time, _logger) = (directory, time, logger);
        Directory.CreateDirectory(directory);
        foreach (string leftover in Directory.EnumerateDirectories(directory, "*-delete"))
            Directory.Delete(leftover, recursive: true);
        string marker = Path.Combine(directory, CleanShutdownFile);
        _clean = File.Exists(marker);
        File.Delete(marker);
        _startOffsets = ReadCheckpoint(StartOffsetsFile);
        _recoveryPoints = ReadCheckpoint(RecoveryPointsFile);
        _cleaner = new LogCleaner(directory, time, logger);
    }

    public IEnumerable<UnifiedLog> All => _logs.Values;

    /// <summary>Opens or creates a log. A folder that belongs to another topic of the same name is put aside: that topic was deleted.</summary>
    public UnifiedLog Open(TopicPartition partition, LogConfig config, Action<TopicPartition> appended, Guid? topicId = null)
    {
        if (_logs.TryGetValue(partition, out UnifiedLog? open))
            return open;
        lock (_openLock)
        {
            if (_logs.TryGetValue(partition, out open))
                return open;
            string folder = FolderOf(partition);
            if (topicId is { } id && CheckTopicId(folder, id))
                Doom(folder, config.FileDeleteDelayMs);
            bool isStale = !Directory.Exists(folder) && ForgetCheckpoints(partition);
            var log = UnifiedLog.Open(partition, folder, config, _startOffsets.GetValueOrDefault(partition), _clean, _time, _logger, _recoveryPoints.GetValueOrDefault(partition));
            if (topicId is { } own)
                PartitionMetadataFile.Write(folder, own);
            log.Appended = () => appended(partition);
            _logs[partition] = log;
            if (isStale)
                WriteCheckpoints();
            return log;
        }
    }

    public UnifiedLog? Get(TopicPartition partition) => _logs.GetValueOrDefault(partition);

    /// <summary>Deletes logs; the checkpoints, which take a flush each, are written once for all of them.</summary>
    public void Delete(IEnumerable<TopicPartition> partitions)
    {
        lock (_openLock)
        {
            foreach (TopicPartition partition in partitions)
            {
                if (!_logs.TryRemove(partition, out UnifiedLog? log))
                    continue;
                log.Dispose();
                ForgetCheckpoints(partition);
                _cleaner.Forget(partition);
                Doom(log.Directory, log.Config.FileDeleteDelayMs);
            }
        }

        WriteCheckpoints();
    }

    /// <summary>Keeps the start of the logs over a restart.</summary>
    public void WriteStartOffsets()
    {
        KeyValuePair<TopicPartition, long>[] known;
        lock (_openLock)
            known = [.. _startOffsets];
        lock (_checkpointLock)
        {
            // Logs that are not open yet keep theirs.
            CheckpointFile.WriteOffsets(
                Path.Combine(_directory, StartOffsetsFile),
                known.Where(k => !_logs.ContainsKey(k.Key)).Concat(_logs.Values.Where(l => l.LogStartOffset > 0).Select(l => KeyValuePair.Create(l.Partition, l.LogStartOffset))));
        }
    }

    /// <summary>Flushes the logs with much that is not on disk, so that a start after a crash has little to check; called each second or so.</summary>
    public void Flush()
    {
        bool flushed = false;
        foreach (UnifiedLog log in _logs.Values.Where(l => l.UnflushedBytes >= FlushAtBytes))
        {
            log.Flush();
            flushed = true;
        }

        if (flushed)
            WriteCheckpoints();
    }

    /// <summary>Retention, compaction and checkpoints of all logs; called now and then.</summary>
    public void Clean()
    {
        foreach (UnifiedLog log in _logs.Values)
        {
            log.ApplyRetention();
            if (log.Config.Compacts)
                _cleaner.Clean(log);
        }

        DeleteDoomed(_time.GetUtcNow().ToUnixTimeMilliseconds());
        WriteCheckpoints();
    }

    /// <summary>A clean shutdown: the next start need not check anything.</summary>
    public void Dispose()
    {
        Close(clean: true);
        DeleteDoomed(long.MaxValue);
    }

    /// <summary>Ends the use of all logs; not <paramref name="clean"/>: as a crash would.</summary>
    public void Close(bool clean)
    {
        foreach (UnifiedLog log in _logs.Values)
        {
            if (clean)
                log.Close();
            else
                log.Dispose();
        }

        if (!clean)
            return;
        WriteCheckpoints();
        DurableFile.Replace(Path.Combine(_directory, CleanShutdownFile), "{\"version\":0,\"brokerEpoch\":-1}");
    }

    private static bool CheckTopicId(string folder, Guid id)
    {
        try
        {
            return Directory.Exists(folder) && PartitionMetadataFile.Read(folder) is { } present && present != id;
        }
        catch (InvalidDataException)
        {
            return false; // torn: it is written anew
        }
    }

    // A log that is made anew starts at 0: a broker that ended while it deleted a topic has left what the checkpoints say of it.
    private bool ForgetCheckpoints(TopicPartition partition) => _startOffsets.Remove(partition) | _recoveryPoints.Remove(partition);

    private void WriteCheckpoints()
    {
        WriteStartOffsets();
        lock (_checkpointLock)
            CheckpointFile.WriteOffsets(Path.Combine(_directory, RecoveryPointsFile), _logs.Values.Select(l => KeyValuePair.Create(l.Partition, l.RecoveryPoint)));
    }

    private void Doom(string folder, long delayMs)
    {
        DateTimeOffset now = _time.GetUtcNow();
        string doomed = folder + "." + Guid.CreateVersion7(now).ToString("N") + "-delete";
        Directory.Move(folder, doomed);
        lock (_doomed)
            _doomed.Add((doomed, now.ToUnixTimeMilliseconds() + delayMs));
    }

    private void DeleteDoomed(long until)
    {
        lock (_doomed)
        {
            foreach ((string folder, long _) in _doomed.Where(d => d.DueAt <= until))
                Directory.Delete(folder, recursive: true);
            _doomed.RemoveAll(d => d.DueAt <= until);
        }
    }

    private string FolderOf(TopicPartition partition) => Path.Combine(_directory, partition.ToString());

    // A checkpoint only spares work, or holds what is deleted already: without it the logs are checked from their start.
    private Dictionary<TopicPartition, long> ReadCheckpoint(string name)
    {
        try
        {
            return CheckpointFile.ReadOffsets(Path.Combine(_directory, name));
        }
        catch (InvalidDataException torn)
        {
            LogTorn(torn.Message);
            return [];
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Reason} It is not used.")]
    private partial void LogTorn(string reason);
}
