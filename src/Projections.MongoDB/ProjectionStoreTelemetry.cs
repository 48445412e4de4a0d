using System.Diagnostics.Metrics;

namespace KafkaEventSourcing.Projections.MongoDB;

internal static class ProjectionStoreTelemetry
{
    private static readonly Meter Meter = new("KafkaEventSourcing.Projections.MongoDB");

    private static readonly Counter<long> Retries =
        Meter.CreateCounter<long>("kes_projection_store_retries", "{retry}", "Writes and reads of read models that were tried again.");

    public static void Retried() => Retries.Add(1);
}
