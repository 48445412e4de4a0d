using Microsoft.Extensions.Diagnostics.HealthChecks;
using HealthReport = KafkaEventSourcing.Hosting.Health.HealthReport;

namespace KafkaEventSourcing.Hosting.Hosts;

/// <summary>Whether the node can decide and answer now, with each thing that it looked at as data.</summary>
internal sealed class NodeHealthCheck(NodeLifecycle lifecycle) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        HealthReport report = lifecycle.Report();
        HealthStatus status = report.Status switch
        {
            HealthReport.Ready => HealthStatus.Healthy,
            HealthReport.Degraded => HealthStatus.Degraded,
            _ => context.Registration.FailureStatus,
        };
        string description = string.Join(" ", report.Checks.Where(c => c.Value.Reason is not null).Select(c => $"{c.Key}: {c.Value.Reason}")
            .Prepend($"The node is {report.Phase}."));
        return Task.FromResult(new HealthCheckResult(status, description,
            data: report.Checks.ToDictionary(c => c.Key, object (c) => c.Value.Reason ?? c.Value.Status)));
    }
}
