using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace KafkaEventSourcing.Subscriptions;

internal static class HandlerTelemetry
{
    private static readonly Meter Meter = new("KafkaEventSourcing.Subscriptions");
    private static readonly Counter<long> HandledEvents = Meter.CreateCounter<long>("kes_subscription_handled", "{event}",
        "Events that a handler has taken.");
    private static readonly Counter<long> RetriedEvents = Meter.CreateCounter<long>("kes_subscription_retried", "{attempt}",
        "Attempts of a handler that failed and are made again.");
    private static readonly ConcurrentDictionary<SubscriptionLedger, string> Ledgers = [];

    static HandlerTelemetry()
    {
        Meter.CreateObservableGauge(
            "kes_subscription_lag",
            () => Ledgers.SelectMany(l => l.Key.Lags.Select(p => Measure(p.Value, l.Value, p.Key))),
            "{event}",
            "Offsets from the position to the end of the partition, transaction markers among them; 0 when all is handled or parked. "
                + "Looked at every 10 s.");
        Meter.CreateObservableGauge(
            "kes_subscription_parked",
            () => Ledgers.SelectMany(l => l.Key.Partitions.Select(p => Measure(p.ParkedCount, l.Value, p.Number))),
            "{aggregate}",
            "Aggregates whose events wait, as one of them was not handled.");
    }

    public static void Watch(string group, SubscriptionLedger ledger) => Ledgers[ledger] = group;

    public static void Unwatch(SubscriptionLedger ledger) => Ledgers.TryRemove(ledger, out _);

    public static void Handled(string group, int partition) => HandledEvents.Add(1, new("group", group), new("partition", partition));

    public static void Retried(string group, int partition) => RetriedEvents.Add(1, new("group", group), new("partition", partition));

    private static Measurement<long> Measure(long value, string group, int partition) =>
        new(value, new("group", group), new("partition", partition));
}
