using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace KafkaEventSourcing.Streamiz;

/// <summary>Whether streams run and are restored.</summary>
internal sealed class EventStreamsHealthCheck(IEventStreams streams) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(streams.Trouble is { } trouble
            ? new HealthCheckResult(context.Registration.FailureStatus, trouble)
            : HealthCheckResult.Healthy($"The streams {streams.Definition.Name} run."));
}
