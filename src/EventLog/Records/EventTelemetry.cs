using System.Diagnostics.Metrics;

namespace KafkaEventSourcing.EventLog;

internal static class EventTelemetry
{
    private static readonly Meter Meter = new("KafkaEventSourcing.EventLog");
    private static readonly Counter<long> IgnoredEvents = Meter.CreateCounter<long>("kes_events_ignored", "{event}",
        "Events of withdrawn types that a reader has passed over; each reader counts its own.");

    public static void Ignored(string aggregate, string type) =>
        IgnoredEvents.Add(1, new("aggregate", aggregate), new("type", type));
}
