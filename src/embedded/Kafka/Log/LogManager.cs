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
    private const int TriedFileBytes = 64 * 1024;
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
        Health = new StorageHealth(time, logger);
    }

    public IEnumerable<UnifiedLog> All => _logs.Values;

    /// <summary>What cannot be written at present.</summary>
    public StorageHealth Health { get; }

    /// <summary>
    /// Opens or creates a log. A folder that belongs to another topic of the same name is put aside: that topic was deleted.
    /// </summary>
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
            var log = UnifiedLog.Open(partition, folder, config, _startOffsets.GetValueOrDefault(partition), _clean, _time, _logger,
                _recoveryPoints.GetValueOrDefault(partition));
            if (topicId is { } own && !Attempt(folder, () => PartitionMetadataFile.Write(folder, own)))
            {
                log.Dispose();
                throw new IOException($"The log of {partition} cannot be made: {Health.Fault?.Message}");
            }

            log.Appended = () => appended(partition);
            log.Health = Health;
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
                Health.Succeeded(log.Directory);
            }
        }

        // The logs are gone, whether this can be written or not: the next cleaning tries it again.
        Attempt(_directory, WriteCheckpoints);
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
                known.Where(k => !_logs.ContainsKey(k.Key)).Concat(
                    _logs.Values.Where(l => l.LogStartOffset > 0).Select(l => KeyValuePair.Create(l.Partition, l.LogStartOffset))));
        }
    }

    /// <summary>
    /// Flushes the logs with much that is not on disk, so that a start after a crash has little to check; called each second or so.
    /// </summary>
    public void Flush()
    {
        bool flushed = false;
        foreach (UnifiedLog log in _logs.Values.Where(l => l.UnflushedBytes >= FlushAtBytes))
            flushed |= Attempt(log.Directory, log.Flush);
        if (flushed)
            Attempt(_directory, WriteCheckpoints);
    }

    /// <summary>
    /// Retention, compaction and checkpoints of all logs; called now and then. What fails in one log, as on a full disk, keeps no other
    /// from giving its room back.
    /// </summary>
    public void Clean()
    {
        Attempt(_directory, () => DeleteDoomed(_time.GetUtcNow().ToUnixTimeMilliseconds()));
        foreach (UnifiedLog log in _logs.Values)
            Keep(log, log.ApplyRetention);
        foreach (UnifiedLog log in _logs.Values.Where(l => l.Config.Compacts))
            Keep(log, () => _cleaner.Clean(log));
        Attempt(_directory, WriteCheckpoints);
    }

    /// <summary>Tries what could not be written; called each second or so.</summary>
    public void TryFaulted()
    {
        if (Health.Fault is null)
            return;
        foreach (UnifiedLog log in _logs.Values.Where(l => l.IsFaulted))
            log.TryWrite();
        var logs = _logs.Values.Where(l => l.IsFaulted).Select(l => l.Directory).ToHashSet();
        foreach (string place in Health.Places.Where(p => !logs.Contains(p)))
            Attempt(place, () => TryFile(place));
    }

    /// <summary>
    /// Does what writes to files; whether it could. A fault of the disk is one of <see cref="Health"/>, anything else is thrown.
    /// </summary>
    public bool Attempt(string place, Action work)
    {
        try
        {
            work();
            return true;
        }
        catch (Exception fault) when (StorageHealth.IsFault(fault))
        {
            Health.Failed(place, fault);
            return false;
        }
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
        // What cannot be brought to the disk is left as by a crash: then the next start checks everything.
        bool closed = clean;
        foreach (UnifiedLog log in _logs.Values)
        {
            if (clean)
                closed &= Attempt(log.Directory, log.Close);
            log.Dispose();
        }

        if (closed && Attempt(_directory, WriteCheckpoints))
            Attempt(_directory,
                () => DurableFile.Replace(Path.Combine(_directory, CleanShutdownFile), "{\"version\":0,\"brokerEpoch\":-1}"));
    }

    private void Keep(UnifiedLog log, Action work)
    {
        try
        {
            Attempt(log.Directory, work);
        }
        catch (Exception failure)
        {
            LogNotKept(failure, log.Partition);
        }
    }

    // The size of what checkpoints and index files take.
    private void TryFile(string place)
    {
        string probe = Path.Combine(Directory.Exists(place) ? place : _directory, ".writable");
        try
        {
            DurableFile.Replace(probe, new byte[TriedFileBytes]);
            Health.Succeeded(place);
        }
        finally
        {
            File.Delete(probe + ".tmp");
            File.Delete(probe);
        }
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
            CheckpointFile.WriteOffsets(Path.Combine(_directory, RecoveryPointsFile),
                _logs.Values.Select(l => KeyValuePair.Create(l.Partition, l.RecoveryPoint)));
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

    [LoggerMessage(Level = LogLevel.Error, Message = "The cleaning of {Partition} failed; it is tried again")]
    private partial void LogNotKept(Exception failure, TopicPartition partition);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Reason} It is not used.")]
    private partial void LogTorn(string reason);
}
