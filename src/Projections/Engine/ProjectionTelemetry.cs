using System.Diagnostics.Metrics;

namespace KafkaEventSourcing.Projections;

internal static class ProjectionTelemetry
{
    private static readonly Meter Meter = new("KafkaEventSourcing.Projections");

    private static readonly Counter<long> Events =
        Meter.CreateCounter<long>("kes_projection_events", "{event}", "Events written to the read models.");

    private static readonly Histogram<double> Duration =
        Meter.CreateHistogram("kes_projection_transaction_duration", "s", "Time to fold and write one transaction of the read models.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2,
                5, 10, 30, 60] });

    private static readonly Counter<long> Again =
        Meter.CreateCounter<long>("kes_projection_folded_again", "{batch}",
            "Batches that were folded again, as another engine had written one of their documents meanwhile.");

    public static void FoldedAgain(string readModel) => Again.Add(1, new KeyValuePair<string, object?>("read_model", readModel));

    public static void Wrote(int events, TimeSpan elapsed)
    {
        Events.Add(events);
        Duration.Record(elapsed.TotalSeconds);
    }
}
