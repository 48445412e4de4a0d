using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;
using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Metrics;
using Streamiz.Kafka.Net.SerDes;

namespace KafkaEventSourcing.Streamiz;

/// <summary>Streamiz' settings: those that its defaults would be wrong in, each with the reason.</summary>
internal static class StreamSettings
{
    // Few: what is polled lives until it is processed, and gets old for the garbage collector. With 16 batches of 500 records of one poll
    // the work of a fold took twice the processor time.
    private const int BatchesAPoll = 4;

    /// <summary>How many records a batch has at most, so that a poll takes as many as <paramref name="options"/> say.</summary>
    public static int BatchRecords(EventStreamsOptions options) => Math.Max(1, options.MaxPollRecords / BatchesAPoll);

    /// <summary>
    /// The settings of <paramref name="definition"/>; with <paramref name="tables"/>, those of a consumer that reads in batches of
    /// <see cref="BatchRecords"/>, and of stores that are kept so.
    /// </summary>
    public static StreamConfig Of(EventStreamsDefinition definition, EventStreamsOptions options, KafkaConnection connection,
        string stateDirectory, ILoggerFactory loggers, StateTables? tables = null)
    {
        // Without loggers of somebody's it would make a console of its own.
        var config = new StreamConfig(null, new LastingLoggers(loggers))
        {
            ApplicationId = definition.Name,
            BootstrapServers = connection.BootstrapServers,
            DefaultKeySerDes = new ByteArraySerDes(),
            DefaultValueSerDes = new ByteArraySerDes(),
            Guarantee = options.ExactlyOnce ? ProcessingGuarantee.EXACTLY_ONCE : ProcessingGuarantee.AT_LEAST_ONCE,
            // Its default is a folder of the machine's temporary one, which a restart may empty, and which all applications share.
            StateDir = stateDirectory,
            NumStreamThreads = options.Threads,
            MaxPollRecords = tables is null ? options.MaxPollRecords : BatchesAPoll,
            MaxPollRestoringRecords = options.MaxPollRestoringRecords, // 1,000 by itself, and a pause after each
            TransactionTimeout = options.TransactionTimeout,
            TransactionTimeoutMs = (int)options.TransactionTimeout.TotalMilliseconds,
            SessionTimeoutMs = (int)options.SessionTimeout.TotalMilliseconds,
            // Librdkafka's default is the end of the log: a first start would read nothing of what there is.
            AutoOffsetReset = AutoOffsetReset.Earliest,
            AllowAutoCreateTopics = false,
            DefaultCacheEnabled = false, // it swallows the deletion of what is not in it
            ReplicationFactor = options.ReplicationFactor,
            OffsetCheckpointManager = tables?.Checkpoints, // null: Streamiz' own
            MetricsRecording = MetricsRecordingLevel.INFO,
            PollMs = 50,
        };
        config.CommitIntervalMs = (long)options.CommitInterval.TotalMilliseconds; // the guarantee sets another one
        return config;
    }
}
