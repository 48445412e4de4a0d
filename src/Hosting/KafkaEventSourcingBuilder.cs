using KafkaEventSourcing.Hosting.Hosts;
using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Subscriptions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace KafkaEventSourcing.Hosting;

/// <summary>Describes the application that runs in a host of the user's. Not thread-safe; used once at start-up.</summary>
public sealed class KafkaEventSourcingBuilder
{
    private ApplicationDefinition? _definition;

    internal KafkaEventSourcingBuilder(IServiceCollection services, string name, string section)
    {
        (Services, Name, Section, Application) = (services, name, section, EventSourcedApplication.Named(name, name));
        Application.HostServices = services;
    }

    // Of an application that the command line runs, with what its options say of embedded servers.
    internal KafkaEventSourcingBuilder(IServiceCollection services, ApplicationDefinition application, IEmbeddedServers? embedded,
        IReadOnlyDictionary<string, int> embeddedSettings)
        : this(services, application.Name, KafkaEventSourcingOptions.SectionName) =>
            (_definition, Embedded, EmbeddedSettings) = (application, embedded, embeddedSettings);

    /// <summary>The services of the host.</summary>
    public IServiceCollection Services { get; }

    /// <summary>The application's name: first part of topic names, and the MongoDB database.</summary>
    public string Name { get; }

    /// <summary>What the application is made of so far.</summary>
    public EventSourcedApplication Application { get; }

    internal string Section { get; }

    /// <summary>What the options are bound to, where it is theirs alone; null: it is not, or there is nothing.</summary>
    internal IConfigurationSection? Bound { get; init; }

    /// <summary>The application, as described when it is first asked for.</summary>
    internal ApplicationDefinition Definition => _definition ??= Application.Build();

    /// <summary>What the command line says of embedded servers, by the names of their settings; null in a host of the user's.</summary>
    internal IReadOnlyDictionary<string, int>? EmbeddedSettings { get; }

    internal IEmbeddedServers? Embedded { get; private set; }

    /// <summary>
    /// Adds an aggregate type, and an <see cref="IAggregateClient{TState}"/> of it to be injected; also under its name as the key, for an
    /// application with several aggregate types of the same state.
    /// </summary>
    public KafkaEventSourcingBuilder AddAggregate<TState>(AggregateDefinition<TState> aggregate)
        where TState : class
    {
        ArgumentNullException.ThrowIfNull(aggregate);
        Application.With(aggregate);
        Services.TryAddKeyedSingleton<IAggregateClient<TState>>(aggregate.Name, (services, _) => new AggregateClient<TState>(
            aggregate, services.GetRequiredService<ICommandClient>() switch
            {
                HostedCommandClient hosted => hosted.To(aggregate),
                var others => others,
            },
            new HostedAggregateReader(services.GetRequiredService<NodeLifecycle>(), aggregate),
            services.GetRequiredService<TimeProvider>()));
        Services.TryAddSingleton(OnlyClient<TState>);
        return this;
    }

    /// <summary>Adds a read model.</summary>
    public KafkaEventSourcingBuilder AddReadModel(ProjectionDefinition projection)
    {
        Application.With(projection);
        return this;
    }

    /// <summary>
    /// Adds application code that is called for committed events; it starts and ends with the node. Handlers that are made for each attempt
    /// take what the host's services have.
    /// </summary>
    public KafkaEventSourcingBuilder AddSubscription(SubscriptionDefinition subscription)
    {
        Application.With(subscription);
        return this;
    }

    /// <summary>Adds commands, states or documents that show in the OpenAPI document what they look like, one of a type.</summary>
    public KafkaEventSourcingBuilder AddExamples(params ReadOnlySpan<object> examples)
    {
        Application.WithExamples(examples);
        return this;
    }

    /// <summary>Starts servers in this process for those that the options do not name.</summary>
    public KafkaEventSourcingBuilder UseEmbeddedServers(IEmbeddedServers embedded)
    {
        ArgumentNullException.ThrowIfNull(embedded);
        Embedded = embedded;
        return this;
    }

    /// <summary>What is wrong with <paramref name="options"/> of this application.</summary>
    internal IEnumerable<InvalidInputException> FailuresOf(KafkaEventSourcingOptions options)
    {
        if (Bound is not null && OptionNames.Unknown(Bound).ToArray() is { Length: > 0 } unknown)
            return unknown; // nothing was bound
        InvalidInputException? missing = Embedded is null ? OptionRules.Missing(options.Addresses, Definition.NeedsMongoDB) : null;
        return [.. OptionRules.Failures(options, Definition),
            .. missing is null ? (InvalidInputException[])[] : [missing]];
    }

    // Whose client is meant cannot be guessed where several aggregate types have the same state.
    private static IAggregateClient<TState> OnlyClient<TState>(IServiceProvider services)
        where TState : class
    {
        string[] names = [.. services.GetRequiredService<NodeLifecycle>().Application.Aggregates.Where(a => a.StateType == typeof(TState))
            .Select(a => a.Name)];
        return names is [var name]
            ? services.GetRequiredKeyedService<IAggregateClient<TState>>(name)
            : throw new InvalidOperationException(
                $"The aggregate types {string.Join(" and ", names.Select(n => $"'{n}'"))} have the state {typeof(TState).Name}: inject "
                    + $"IAggregateClient<{typeof(TState).Name}> by the name as key, as in [FromKeyedServices(\"{names[0]}\")].");
    }
}
