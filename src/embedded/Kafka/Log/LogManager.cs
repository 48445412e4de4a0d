using System.Collections.Concurrent;
using System.Globalization;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>All logs of the broker, one folder each.</summary>
internal sealed class LogManager : IDisposable
{
    private const string CleanShutdownFile = ".kafka_cleanshutdown";
    private const string StartOffsetsFile = "log-start-offset-checkpoint";

    private readonly ConcurrentDictionary<TopicPartition, UnifiedLog> _logs = [];
    private readonly string _directory;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly LogCleaner _cleaner;
    private readonly bool _clean;
    private readonly Dictionary<TopicPartition, long> _startOffsets;

    public LogManager(string directory, TimeProvider time, ILogger logger)
    {
        (_directory, _time, _logger) = (directory, time, logger);
        _cleaner = new LogCleaner(time);
        Directory.CreateDirectory(directory);
        foreach (string leftover in Directory.EnumerateDirectories(directory, "*-delete"))
            Directory.Delete(leftover, recursive: true);
        string marker = Path.Combine(directory, CleanShutdownFile);
        _clean = File.Exists(marker);
        File.Delete(marker);
        _startOffsets = ReadStartOffsets();
    }

    public IEnumerable<UnifiedLog> All => _logs.Values;

    /// <summary>Opens or creates a log.</summary>
    public UnifiedLog Open(TopicPartition partition, LogConfig config, Action<TopicPartition> appended) => _logs.GetOrAdd(partition, _ =>
    {
        UnifiedLog log = UnifiedLog.Open(partition, FolderOf(partition), config, _startOffsets.GetValueOrDefault(partition), _clean, _time, _logger);
        log.Appended = () => appended(partition);
        return log;
    });

    public UnifiedLog? Get(TopicPartition partition) => _logs.GetValueOrDefault(partition);

    public void Delete(TopicPartition partition)
    {
        if (!_logs.TryRemove(partition, out UnifiedLog? log))
            return;
        log.Dispose();
        string doomed = FolderOf(partition) + "." + Guid.CreateVersion7(_time.GetUtcNow()).ToString("N") + "-delete";
        Directory.Move(log.Directory, doomed);
        Directory.Delete(doomed, recursive: true);
        _startOffsets.Remove(partition);
        WriteStartOffsets();
    }

    /// <summary>Keeps the start of the logs over a restart.</summary>
    public void WriteStartOffsets()
    {
        lock (_startOffsets)
        {
            string path = Path.Combine(_directory, StartOffsetsFile);
            UnifiedLog[] moved = [.. _logs.Values.Where(l => l.LogStartOffset > 0)];
            IEnumerable<string> lines = moved.Select(l => string.Create(CultureInfo.InvariantCulture, $"{l.Partition.Topic} {l.Partition.Partition} {l.LogStartOffset}"));
            File.WriteAllLines(path + ".tmp", ["0", moved.Length.ToString(CultureInfo.InvariantCulture), .. lines]);
            File.Move(path + ".tmp", path, overwrite: true);
        }
    }

    /// <summary>Retention and compaction of all logs; called now and then.</summary>
    public void Clean()
    {
        foreach (UnifiedLog log in _logs.Values)
        {
            log.ApplyRetention();
            if (log.Config.Compacts)
                _cleaner.Clean(log);
        }

        WriteStartOffsets();
    }

    /// <summary>A clean shutdown: the next start need not check anything.</summary>
    public void Dispose()
    {
        WriteStartOffsets();
        foreach (UnifiedLog log in _logs.Values)
            log.Close();
        File.WriteAllText(Path.Combine(_directory, CleanShutdownFile), "{\"version\":0}");
    }

    private string FolderOf(TopicPartition partition) => Path.Combine(_directory, partition.ToString());

    // Kafka's checkpoint format: version, number of entries, then topic, partition and offset a line.
    private Dictionary<TopicPartition, long> ReadStartOffsets()
    {
        var offsets = new Dictionary<TopicPartition, long>();
        string path = Path.Combine(_directory, StartOffsetsFile);
        if (!File.Exists(path))
            return offsets;
        foreach (string line in File.ReadLines(path).Skip(2))
        {
            string[] parts = line.Split(' ');
            if (parts.Length == 3 && int.TryParse(parts[1], CultureInfo.InvariantCulture, out int partition) && long.TryParse(parts[2], CultureInfo.InvariantCulture, out long offset))
                offsets[new TopicPartition(parts[0], partition)] = offset;
        }

        return offsets;
    }
}
