using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Subscriptions;
using Microsoft.Extensions.DependencyInjection;

namespace KafkaEventSourcing.Hosting;

/// <summary>
/// Puts an application together: its aggregates, its read models, its subscriptions. The package
/// <c>KafkaEventSourcing.Hosting.CommandLine</c> makes a program of it (<c>RunAsync</c>): a command line and an HTTP interface. Not
/// thread-safe; used once at start-up.
/// </summary>
public sealed class EventSourcedApplication
{
    private readonly string _name;
    private readonly string _summary;
    private readonly List<AggregateDefinition> _aggregates = [];
    private readonly List<ProjectionDefinition> _projections = [];
    private readonly List<SubscriptionDefinition> _subscriptions = [];
    private readonly List<object> _examples = [];
    private Action<IServiceCollection>? _configureServices;

    private EventSourcedApplication(string name, string summary) => (_name, _summary) = (name, summary);

    /// <summary>Starts servers of its own; null: it has none.</summary>
    internal IEmbeddedServers? Embedded { get; private set; }

    /// <summary>The services of the host that it runs in; null: it has those of its own.</summary>
    internal IServiceCollection? HostServices { get; set; }

    /// <summary>Starts an application.</summary>
    /// <param name="name">First part of topic names and the MongoDB database: a lower case letter, then lower case letters, digits and
    /// hyphens, at most 64.</param>
    /// <param name="summary">One line for the help.</param>
    /// <exception cref="InvalidInputException">The name is not of that form.</exception>
    public static EventSourcedApplication Named(string name, string summary)
    {
        if (name.Length is 0 or > 64
            || name[0] is < 'a' or > 'z'
            || name.Any(c => !(char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-')))
            throw new InvalidInputException("application",
                $"The application name "
                    + $"'{name}' must start with a lower case letter and have at most 64 lower case letters, digits and hyphens.");
        return new(name, summary);
    }

    /// <summary>Adds an aggregate type; its commands, events and state must be generated from Avro schemas.</summary>
    public EventSourcedApplication With(AggregateDefinition aggregate)
    {
        ArgumentNullException.ThrowIfNull(aggregate);
        _aggregates.Add(aggregate);
        return this;
    }

    /// <summary>Adds a read model.</summary>
    public EventSourcedApplication With(ProjectionDefinition projection)
    {
        ArgumentNullException.ThrowIfNull(projection);
        _projections.Add(projection);
        return this;
    }

    /// <summary>Adds application code that is called for committed events.</summary>
    public EventSourcedApplication With(SubscriptionDefinition subscription)
    {
        ArgumentNullException.ThrowIfNull(subscription);
        _subscriptions.Add(subscription);
        return this;
    }

    /// <summary>
    /// Adds what handlers of subscriptions take (<see cref="SubscriptionBuilder.On{TEvent, THandler}"/>) to the services of the node, as
    /// an ASP.NET application does to those of its host. There are besides the host's <see cref="TimeProvider"/>, its loggers and an
    /// <see cref="ICommandClient"/>.
    /// </summary>
    public EventSourcedApplication WithServices(Action<IServiceCollection> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        if (HostServices is { } host)
            configure(host);
        else
            _configureServices += configure;
        return this;
    }

    /// <summary>
    /// Adds commands, states or documents that show on the API page what they look like, one of a type. Types without an example get one
    /// whose values say no more than their type.
    /// </summary>
    public EventSourcedApplication WithExamples(params ReadOnlySpan<object> examples)
    {
        _examples.AddRange(examples);
        return this;
    }

    /// <summary>
    /// Lets the application start servers of its own where none are named. The package <c>KafkaEventSourcing.Hosting.Embedded</c> has them.
    /// </summary>
    public EventSourcedApplication WithEmbeddedServers(IEmbeddedServers embedded)
    {
        Embedded = embedded;
        return this;
    }

    /// <summary>The application as described so far.</summary>
    /// <exception cref="InvalidOperationException">It has no aggregate, a projection reads an event of none of its aggregates, a
    /// subscription reads an aggregate type that the application does not have or has another's name, or an example is of an unknown
    /// type.</exception>
    public ApplicationDefinition Build()
    {
        if (_aggregates.Count == 0)
            throw new InvalidOperationException($"The application '{_name}' has no aggregate: call {nameof(With)} at least once.");
        return new ApplicationDefinition(_name, _summary, [.. _aggregates], [.. _projections], [.. _subscriptions], [.. _examples])
        {
            ConfigureServices = _configureServices,
        };
    }
}
