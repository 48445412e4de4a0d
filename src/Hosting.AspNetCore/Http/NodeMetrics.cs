using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// The metrics of this process, as <c>/metrics</c> tells them to Prometheus: those of this project, of the web server and of the runtime.
/// They belong to the process and count from the first use on.
/// </summary>
internal static class NodeMetrics
{
    private static readonly Lazy<MeterProvider> All = new(() => Sdk.CreateMeterProviderBuilder()
        .AddMeter("KafkaEventSourcing.*", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime")
        .AddPrometheusExporter()
        .Build());

    public static MeterProvider Provider => All.Value;
}
