using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace KafkaEventSourcing.Streamiz;

/// <summary>Adds event streams to a host of the user's.</summary>
public static class EventStreamsServiceExtensions
{
    /// <summary>
    /// Adds the streams of <paramref name="definition"/>: a hosted service that runs them, <see cref="IEventStreams"/> to ask them, under
    /// the name of the definition as key and without one, and a health check with the tag <c>ready</c>, which is degraded while they do not
    /// run. Beside a node they start when it serves and end before it; in a process without one, <see cref="AddApplicationServers"/> says
    /// where the log is.
    /// </summary>
    /// <exception cref="InvalidInputException">An option is out of range.</exception>
    /// <exception cref="InvalidOperationException">The host has streams of this name already, or such that topics of the one could be
    /// those of the other.</exception>
    public static IServiceCollection AddEventStreams(this IServiceCollection services, EventStreamsDefinition definition,
        EventStreamsOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(definition);
        options ??= new EventStreamsOptions();
        options.Validate();
        if (services.Any(s => s.IsKeyedService && s.ServiceType == typeof(EventStreamsService)
            && string.Equals((string?)s.ServiceKey, definition.Name, StringComparison.Ordinal)))
            throw new InvalidOperationException(
                $"The host has event streams '{definition.Name}' already: two of one name would take partitions from one another.");
        foreach (EventStreamsDefinition other in services.Where(s => !s.IsKeyedService).Select(s => s.ImplementationInstance)
            .OfType<EventStreamsDefinition>())
            StreamNames.CheckAreApart(definition, other);
        services.AddSingleton(definition);
        services.AddLogging();
        services.TryAddSingleton(TimeProvider.System);
        services.AddKeyedSingleton(definition.Name, (s, _) =>
            ActivatorUtilities.CreateInstance<EventStreamsService>(s, definition, options));
        services.AddSingleton<IHostedService>(s => s.GetRequiredKeyedService<EventStreamsService>(definition.Name));
        services.AddSingleton<IApplicationPart>(s => s.GetRequiredKeyedService<EventStreamsService>(definition.Name));
        services.TryAddKeyedSingleton<IEventStreams>(definition.Name, (s, _) =>
            s.GetRequiredKeyedService<EventStreamsService>(definition.Name));
        services.TryAddSingleton<IEventStreams>(OnlyStreams);
        services.AddHealthChecks().Add(new HealthCheckRegistration($"streams-{definition.Name}",
            s => new EventStreamsHealthCheck(s.GetRequiredKeyedService<EventStreamsService>(definition.Name)), HealthStatus.Degraded,
            ["ready"]));
        return services;
    }

    /// <summary>
    /// Says where the log of <paramref name="application"/> is, for event streams in a process that has no node of it.
    /// </summary>
    /// <exception cref="InvalidInputException">An address or a setting is unusable.</exception>
    public static IServiceCollection AddApplicationServers(this IServiceCollection services, string application, ApplicationServers servers)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(application);
        ArgumentNullException.ThrowIfNull(servers);
        servers.Kafka.Validate();
        services.AddSingleton<IApplicationHost>(new GivenApplication(application, servers));
        return services;
    }

    private static IEventStreams OnlyStreams(IServiceProvider services)
    {
        IApplicationPart[] parts = [.. services.GetServices<IApplicationPart>().Where(p => p is EventStreamsService)];
        return parts is [EventStreamsService only]
            ? only
            : throw new InvalidOperationException($"The host has the event streams "
                + $"{string.Join(" and ", parts.Select(p => $"'{((EventStreamsService)p).Definition.Name}'"))}: inject "
                + $"{nameof(IEventStreams)} by the name as key.");
    }

    private sealed class GivenApplication(string application, ApplicationServers servers) : IApplicationHost
    {
        public string Application => application;

        public IReadOnlyCollection<string> ConsumerGroups => [];

        public Task<ApplicationServers> WaitForServersAsync(CancellationToken cancellationToken) => Task.FromResult(servers);
    }
}
