using KafkaEventSourcing.Hosting;

namespace KafkaEventSourcing.Chaos.Cluster;

/// <summary>Addresses of servers as the arguments of an application.</summary>
internal static class ServerArguments
{
    public static IEnumerable<string> Of(ServerAddresses servers) => [.. OfLog(servers), "--mongodb", servers.MongoDB!];

    /// <summary>Those of the log alone.</summary>
    public static IEnumerable<string> OfLog(ServerAddresses servers) =>
    [
        "--kafka", servers.Kafka!, .. servers.KafkaSettings.SelectMany(s => new[] { "--kafka-setting", $"{s.Key}={s.Value}" }),
        "--registry", servers.Registry!, .. servers.RegistrySettings.SelectMany(s => new[] { "--registry-setting", $"{s.Key}={s.Value}" }),
    ];
}
