using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace KafkaEventSourcing.EventLog;

internal static class SubscriptionTelemetry
{
    private static readonly Meter Meter = new("KafkaEventSourcing.EventLog");
    private static readonly ConcurrentDictionary<(string Group, int Partition), PartitionPump> Feeds = [];

    static SubscriptionTelemetry() => Meter.CreateObservableGauge(
        "kes_subscription_delay", () =>
            Feeds.Select(f => new Measurement<double>(f.Value.Delay.TotalSeconds, new("group", f.Key.Group),
                new("partition", f.Key.Partition))), "s",
        "Age of the oldest event that has come to this node and that the handler has not taken; 0 when it has taken all.");

    public static void Watch(string group, int partition, PartitionPump pump) => Feeds[(group, partition)] = pump;

    public static void Unwatch(string group, int partition, PartitionPump pump) => Feeds.TryRemove(new((group, partition), pump));
}
