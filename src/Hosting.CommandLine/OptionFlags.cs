using System.Collections.Frozen;
using KafkaEventSourcing.Hosting.Hosts;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>
/// The options of the command line that set properties of <see cref="KafkaEventSourcingOptions"/>: by them its users know what is wrong.
/// </summary>
internal static class OptionFlags
{
    private static readonly FrozenDictionary<string, string> Flags = new Dictionary<string, string>
    {
        [nameof(KafkaEventSourcingOptions.Kafka)] = "--kafka",
        [nameof(KafkaEventSourcingOptions.KafkaSettings)] = "--kafka-setting",
        [nameof(KafkaEventSourcingOptions.SchemaRegistry)] = "--registry",
        [nameof(KafkaEventSourcingOptions.SchemaRegistrySettings)] = "--registry-setting",
        [nameof(KafkaEventSourcingOptions.MongoDB)] = "--mongodb",
        [nameof(KafkaEventSourcingOptions.DataDirectory)] = "--data",
        [nameof(KafkaEventSourcingOptions.Partitions)] = "--partitions",
        [nameof(KafkaEventSourcingOptions.ReplicationFactor)] = "--replication-factor",
        [nameof(KafkaEventSourcingOptions.AcceptDataLoss)] = "--accept-data-loss",
        [nameof(KafkaEventSourcingOptions.NodeId)] = "--node-id",
        [nameof(KafkaEventSourcingOptions.SessionTimeout)] = "--session-timeout",
        [nameof(KafkaEventSourcingOptions.Standbys)] = "--standbys",
        [nameof(KafkaEventSourcingOptions.NodeSecret)] = "--node-secret",
        [nameof(KafkaEventSourcingOptions.IgnoreUnknownEvents)] = "--ignore-unknown-events",
        [nameof(KafkaEventSourcingOptions.Advertise)] = "--advertise",
        [nameof(KafkaEventSourcingOptions.Drain)] = "--drain",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>What is wrong, as a user of the command line reads it; what is not about a property stays as it is.</summary>
    public static InvalidInputException InCommandLine(InvalidInputException wrong) =>
        Flags.TryGetValue(wrong.Field, out string? flag) ? OptionNames.Renamed(wrong, flag)
        : OptionNames.IsProperty(wrong.Field) ? OptionNames.InConfiguration(wrong, KafkaEventSourcingOptions.SectionName)
        : wrong;
}
