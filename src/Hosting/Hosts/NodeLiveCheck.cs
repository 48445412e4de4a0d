using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace KafkaEventSourcing.Hosting.Hosts;

/// <summary>
/// Whether the node has not failed: it may wait for its servers, which a restart would not bring back, be starting or ending.
/// </summary>
internal sealed class NodeLiveCheck(NodeHost node, NodeLifecycle lifecycle) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(
        node.Fault is { } fault
            ? new HealthCheckResult(context.Registration.FailureStatus, $"The node has stopped: {fault.Message}", fault)
            : HealthCheckResult.Healthy($"The node is {lifecycle.Phase}."));
}
