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
    /// <summary>
    /// The settings of <paramref name="definition"/>; with <paramref name="tables"/>, those of a <see cref="BatchingConsumer"/>, and of
    /// stores that are kept so.
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
            MaxPollRecords = tables is null ? options.MaxPollRecords : 1, // of which each is a batch of so many
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
