using System.Collections.Frozen;

namespace KafkaEventSourcing.Hosting.Hosts;

/// <summary>The names by which people know the properties of <see cref="KafkaEventSourcingOptions"/>: options of the command line, or keys of the configuration.</summary>
internal static class OptionNames
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

    private static readonly FrozenSet<string> Properties = typeof(KafkaEventSourcingOptions).GetProperties().Select(p => p.Name).ToFrozenSet(StringComparer.Ordinal);

    /// <summary>What is wrong, as a user of the command line reads it; what is not about a property stays as it is.</summary>
    public static InvalidInputException InCommandLine(InvalidInputException wrong) =>
        Flags.TryGetValue(wrong.Field, out string? flag) ? Renamed(wrong, flag)
        : IsProperty(wrong.Field) ? Renamed(wrong, $"{KafkaEventSourcingOptions.SectionName}:{wrong.Field}")
        : wrong;

    /// <summary>What is wrong, as it is in the configuration below <paramref name="section"/>.</summary>
    public static InvalidInputException InConfiguration(InvalidInputException wrong, string section) => Renamed(wrong, $"{section}:{wrong.Field}");

    // Those of a section within, as Processing:MaxBatchCommands, are properties too.
    private static bool IsProperty(string field) => Properties.Contains(field.Split(':')[0]);

    private static InvalidInputException Renamed(InvalidInputException wrong, string name) =>
        new(name, wrong.Message.StartsWith(wrong.Field, StringComparison.Ordinal) ? name + wrong.Message[wrong.Field.Length..] : $"{name}: {wrong.Message}", wrong);
}
