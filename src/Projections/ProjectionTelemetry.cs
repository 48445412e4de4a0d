using System.Diagnostics.Metrics;

namespace KafkaEventSourcing.Projections;

internal static class ProjectionTelemetry
{
    private static readonly Meter Meter = new("KafkaEventSourcing.Projections");

    private static readonly Counter<long> Events =
        Meter.CreateCounter<long>("kes_projection_events", "{event}", "Events written to the read models.");

    private static readonly Histogram<double> Duration =
        Meter.CreateHistogram<double>("kes_projection_transaction_duration", "s", "Time to fold and write one transaction of the read models.");

    public static void Wrote(int events, TimeSpan elapsed)
    {
        Events.Add(events);
        Duration.Record(elapsed.TotalSeconds);
    }
}
