using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Warns of producers with another partitioner, once an hour for each of them: a record does not say who has sent it, so its
/// <c>ce_source</c> stands for the producer, and those without one are one. Thread-safe.
/// </summary>
internal sealed partial class MisplacedCommandWarnings(TopicFamily topics, int partitions, ILogger logger, TimeProvider time)
{
    private const int MaxSources = 100;
    private const int MaxSourceLength = 100;
    private static readonly TimeSpan Window = TimeSpan.FromHours(1);

    private readonly Lock _lock = new();
    private readonly HashSet<string> _warned = [];
    private DateTimeOffset _until;

    /// <summary>A command of the producer was forwarded from where it lay.</summary>
    public void Forwarded(ConsumeResult<byte[], byte[]> record, int to)
    {
        string source = SourceOf(record);
        lock (_lock)
        {
            if (time.GetUtcNow() is var now && now >= _until)
            {
                _warned.Clear();
                _until = now + Window;
            }

            if (_warned.Count >= MaxSources || !_warned.Add(source))
                return;
        }

        LogForwarded(logger, topics.Commands, record.Partition.Value, record.Offset.Value, to, partitions, source);
    }

    // It is the caller's text, and goes into a line of the log.
    private static string SourceOf(ConsumeResult<byte[], byte[]> record)
    {
        if (CloudEventHeaders.Find(record.Message.Headers, CloudEventHeaders.Source) is not { Length: > 0 } bytes)
            return "not given";
        string text = Encoding.UTF8.GetString(bytes.AsSpan(0, Math.Min(bytes.Length, MaxSourceLength)));
        return string.Concat(text.Select(c => char.IsControl(c) ? '\uFFFD' : c));
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The command {Topic} {Partition}@{Offset} lies on the wrong partition: of {Partitions} its key belongs to {To} by "
            + "Kafka's murmur2. It is forwarded there, as are others of its producer "
        + "(ce_source: {Source}), which costs a second way through the topic; kes_commands_rerouted counts them. The producer has another "
        + "partitioner: the default of librdkafka (.NET, Python, Go, Rust, PHP) is CRC32, and needs "
        + "partitioner=murmur2_random")]
    private static partial void LogForwarded(ILogger logger, string topic, int partition, long offset, int to, int partitions,
        string source);
}
