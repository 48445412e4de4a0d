using System.Diagnostics.Metrics;

namespace KafkaEventSourcing.Subscriptions;

internal static class HandlerTelemetry
{
    private static readonly Meter Meter = new("KafkaEventSourcing.Subscriptions");
    private static readonly Counter<long> HandledEvents = Meter.CreateCounter<long>("kes_subscription_handled", "{event}", "Events that a handler has taken.");
    private static readonly Counter<long> RetriedEvents = Meter.CreateCounter<long>("kes_subscription_retried", "{attempt}", "Attempts of a handler that failed and are made again.");

    public static void Handled(string group, int partition) => HandledEvents.Add(1, new("group", group), new("partition", partition));

    public static void Retried(string group, int partition) => RetriedEvents.Add(1, new("group", group), new("partition", partition));
}
