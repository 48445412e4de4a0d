using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.Hosts;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace KafkaEventSourcing.Hosting;

/// <summary>Adds an event-sourced application to a host of the user's.</summary>
public static class KafkaEventSourcingServiceExtensions
{
    /// <summary>The name of the health check that says whether the node can decide and answer now; it has the tag <c>ready</c>.</summary>
    public const string HealthCheckName = "kafka-event-sourcing";

    /// <summary>
    /// The name of the health check that says whether the node has not failed, whatever its servers do; it has the tag <c>live</c>.
    /// </summary>
    public const string LiveHealthCheckName = "kafka-event-sourcing-live";

    /// <summary>
    /// Adds an application: a hosted service that runs its node, <see cref="ICommandClient"/>, <see cref="INodeAccessor"/>, an
    /// <see cref="IAggregateClient{TState}"/> of each aggregate type, and two health checks.
    /// </summary>
    /// <param name="services">The services of the host.</param>
    /// <param name="name">The application's name: a lower case letter, then lower case letters, digits and hyphens, at most 64.</param>
    /// <param name="configuration">What <see cref="KafkaEventSourcingOptions"/> are bound to, as
    /// <c>configuration.GetSection("KafkaEventSourcing")</c>; errors name properties by its path.</param>
    /// <exception cref="InvalidInputException">The name is not of that form.</exception>
    /// <exception cref="InvalidOperationException">The host has an application already: a host runs one.</exception>
    public static KafkaEventSourcingBuilder AddKafkaEventSourcing(
        this IServiceCollection services, string name, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        var section = configuration as IConfigurationSection;
        KafkaEventSourcingBuilder builder = Add(services, name, section?.Path ?? KafkaEventSourcingOptions.SectionName, section);
        services.Configure<KafkaEventSourcingOptions>(options =>
        {
            // What has another shape than its option is named when the options are checked; the binder would fail at it without its key.
            if (section is null || !OptionNames.Unknown(section).Any())
                configuration.Bind(options);
        });
        return builder;
    }

    /// <summary>Adds an application with the default options.</summary>
    /// <inheritdoc cref="AddKafkaEventSourcing(IServiceCollection, string, IConfiguration)"/>
    public static KafkaEventSourcingBuilder AddKafkaEventSourcing(this IServiceCollection services, string name) =>
        Add(services, name, KafkaEventSourcingOptions.SectionName);

    /// <summary>Adds an application whose options <paramref name="configure"/> sets.</summary>
    /// <inheritdoc cref="AddKafkaEventSourcing(IServiceCollection, string, IConfiguration)"/>
    public static KafkaEventSourcingBuilder AddKafkaEventSourcing(
        this IServiceCollection services, string name, Action<KafkaEventSourcingOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        KafkaEventSourcingBuilder builder = Add(services, name, KafkaEventSourcingOptions.SectionName);
        services.Configure(configure);
        return builder;
    }

    // The application of the command line, as any other.
    internal static void AddKafkaEventSourcing(
        this IServiceCollection services, ApplicationDefinition application, IEmbeddedServers? embedded,
        IReadOnlyDictionary<string, int> embeddedSettings, Action<KafkaEventSourcingOptions> configure)
    {
        Add(new KafkaEventSourcingBuilder(services, application, embedded, embeddedSettings));
        services.Configure(configure);
        application.ConfigureServices?.Invoke(services);
    }

    private static KafkaEventSourcingBuilder Add(IServiceCollection services, string name, string section,
        IConfigurationSection? bound = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        if (services.FirstOrDefault(s => s.ServiceType == typeof(KafkaEventSourcingBuilder))?.ImplementationInstance
            is KafkaEventSourcingBuilder other)
            throw new InvalidOperationException($"The host has the application '{other.Name}' already, and '{name}' would be a second "
                + $"one: a host runs one. Add the aggregates to '{other.Name}', or run '{name}' in a host of its own.");
        return Add(new KafkaEventSourcingBuilder(services, name, section) { Bound = bound });
    }

    private static KafkaEventSourcingBuilder Add(KafkaEventSourcingBuilder builder)
    {
        IServiceCollection services = builder.Services;
        services.AddSingleton(builder);
        services.AddLogging();
        services.TryAddSingleton(TimeProvider.System);
        services.AddOptions<KafkaEventSourcingOptions>().ValidateOnStart();
        services.AddSingleton<IValidateOptions<KafkaEventSourcingOptions>, OptionsValidator>();
        services.AddSingleton(s => new NodeLifecycle(s.GetRequiredService<KafkaEventSourcingBuilder>().Definition)
        {
            Parts = s.GetServices<IApplicationPart>,
        });
        services.AddSingleton<NodeHost>();
        services.AddSingleton<IHostedService>(s => s.GetRequiredService<NodeHost>());
        services.TryAddSingleton<INodeAccessor>(s => s.GetRequiredService<NodeHost>());
        services.TryAddSingleton<ICommandClient, HostedCommandClient>();
        services.TryAddSingleton<IApplicationHost, HostedApplication>();
        services.AddHealthChecks().AddCheck<NodeHealthCheck>(HealthCheckName, HealthStatus.Unhealthy, ["ready"]).AddCheck<NodeLiveCheck>(
            LiveHealthCheckName, HealthStatus.Unhealthy, ["live"]);
        return builder;
    }
}
