using System.Reflection;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Archive;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.Archiving;
using KafkaEventSourcing.Hosting.Health;
using KafkaEventSourcing.Hosting.Hosts;
using KafkaEventSourcing.Processing;
using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Projections.MongoDB;
using KafkaEventSourcing.Subscriptions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MongoDB.Driver;

namespace KafkaEventSourcing.Hosting;

/// <summary>A running node of an application. Thread-safe.</summary>
public sealed class EventSourcedNode : ICommandClient, IAsyncDisposable
{
    private static readonly TimeSpan RegistryInterval = TimeSpan.FromSeconds(10);

    private readonly CachedSchemaRegistryClient _registry;
    private readonly MongoProjectionStore? _readModels;
    private readonly TimeProvider _timeProvider;
    private readonly Dictionary<Type, AggregateNode?> _byCommand = []; // null: several decide it
    private readonly CancellationTokenSource _stop = new();
    private int _disposed;
    private volatile bool _hasEnded;
    private ReadModelStart? _readModelStart;
    private BrokerProbe? _broker;
    private ServerProbe? _registryProbe;
    private ServiceProvider? _ownServices;
    private NodeArchive? _archive;
    private SubjectKeys? _subjectKeys;

    private EventSourcedNode(ApplicationDefinition application, ServerAddresses addresses, CachedSchemaRegistryClient registry,
        MongoProjectionStore? readModels, TimeProvider timeProvider) =>
        (Application, Addresses, _registry, _readModels, _timeProvider) = (application, addresses, registry, readModels, timeProvider);

    /// <summary>What runs.</summary>
    public ApplicationDefinition Application { get; }

    /// <summary>The servers that it runs on.</summary>
    public ServerAddresses Addresses { get; }

    /// <summary>One part for each aggregate type, in the order of the application.</summary>
    public IReadOnlyList<AggregateNode> Aggregates { get; private set; } = [];

    /// <summary>The subscriptions that run, in the order of the application.</summary>
    public IReadOnlyList<SubscriptionRunner> Subscriptions { get; private set; } = [];

    /// <summary>The database of the read models.</summary>
    /// <exception cref="InvalidOperationException">The application has no read model, so that this node does not use MongoDB.</exception>
    public IMongoDatabase ReadModels =>
        _readModels?.Database ?? throw new InvalidOperationException(
            $"The application '{Application.Name}' has no read model, so that its nodes do not use MongoDB.");

    /// <summary>Ends when a part of the node stopped: faulted with its fault, or quietly after disposal.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <summary>Whether all partitions of this node serve, nothing has stopped, and the topics can be worked on.</summary>
    public bool IsReady => !Completion.IsCompleted && Aggregates.All(a => a.Processor.IsReady && a.TopicStatus.IsUsable);

    /// <summary>What the node looks at to say how it is.</summary>
    public IReadOnlyList<NodeCheck> Checks { get; private set; } = [];

    /// <summary>Why no read model is kept yet; null: they are, or wait for events only.</summary>
    internal string? ReadModelsWait => _readModelStart?.Wait;

    /// <summary>After what silence of a node its partitions go to others.</summary>
    internal TimeSpan SessionTimeout { get; private init; }

    /// <summary>Whether it hands its partitions over, or has: nothing can be sent or read by it any more.</summary>
    internal bool HasEnded => _hasEnded;

    /// <summary>The archive of the events; null: they are not archived.</summary>
    internal NodeArchive? Archive => _archive;

    /// <summary>Null: the application has no read model.</summary>
    internal MongoProjectionStore? ReadModelStore => _readModels;

    /// <summary>
    /// Starts a node: registers schemas, creates missing topics and collections, restores, and returns when it serves. Read models follow
    /// when MongoDB is there; nothing else waits for it.
    /// </summary>
    /// <exception cref="InvalidInputException">An option or an address is unusable.</exception>
    /// <exception cref="TimeoutException">A partition does not serve within
    /// <see cref="KafkaEventSourcingOptions.StartTimeout"/>.</exception>
    public static Task<EventSourcedNode> StartAsync(
        ApplicationDefinition application, ServerAddresses addresses, KafkaEventSourcingOptions options, ILoggerFactory loggerFactory,
        TimeProvider timeProvider, CancellationToken cancellationToken = default) =>
        Start(application, addresses, options, loggerFactory, services: null, timeProvider, static _ => { }, cancellationToken);

    // services: what handlers of subscriptions are made with; null: those of the application alone.
    // entering: is told what the start waits for, as text that may change while it waits.
    internal static Task<EventSourcedNode> Start(
        ApplicationDefinition application, ServerAddresses addresses, KafkaEventSourcingOptions options, ILoggerFactory loggers,
        IServiceProvider? services, TimeProvider timeProvider, Action<Func<string>> entering, CancellationToken cancellationToken)
    {
        Task<EventSourcedNode> Begin() => Task.Run(() => StartAlone(application, addresses, options, loggers, services, timeProvider,
            entering, cancellationToken), CancellationToken.None);
        if (ExecutionContext.IsFlowSuppressed())
            return Begin();
        // The loops of a node outlive whoever starts it: its activity, and what else is ambient there, is not theirs.
        using (ExecutionContext.SuppressFlow())
            return Begin();
    }

    private static async Task<EventSourcedNode> StartAlone(
        ApplicationDefinition application, ServerAddresses addresses, KafkaEventSourcingOptions options, ILoggerFactory loggers,
        IServiceProvider? services, TimeProvider timeProvider, Action<Func<string>> entering, CancellationToken cancellationToken)
    {
        if (OptionRules.Failures(options, application).FirstOrDefault() is { } wrong)
            throw wrong;
        addresses.Validate();
        Directory.CreateDirectory(options.DataDirectoryOf(application.Name));
        var registry = new CachedSchemaRegistryClient(addresses.RegistryConfig());
        MongoProjectionStore? readModels = application.NeedsMongoDB
            ? new MongoProjectionStore(
                options.ReadModels.Over(new MongoProjectionOptions { ConnectionString = addresses.MongoDB!, Database = application.Name }),
                timeProvider, loggers.CreateLogger<MongoProjectionStore>())
            : null;
        var node = new EventSourcedNode(application, addresses, registry, readModels, timeProvider)
        {
            SessionTimeout = options.SessionTimeout,
        };
        try
        {
            await node.StartParts(options, loggers, services, timeProvider, entering, cancellationToken).ConfigureAwait(false);
            return node;
        }
        catch
        {
            await node.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Sends a command to the aggregate type that decides its type.</summary>
    /// <inheritdoc/>
    public Task<CommandResult> SendAsync(CommandEnvelope command, CancellationToken cancellationToken = default) =>
        AggregateOf(command.Payload.GetType()).Commands.SendAsync(command, cancellationToken);

    /// <summary>
    /// Tells the other nodes where this one can be reached: the base of its HTTP interface, once it listens. Until then they send it
    /// commands by the topic, and reads wait.
    /// </summary>
    /// <exception cref="InvalidInputException">It is not an http or https address.</exception>
    public void Advertise(Uri address)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (!address.IsAbsoluteUri || (address.Scheme != Uri.UriSchemeHttp && address.Scheme != Uri.UriSchemeHttps))
            throw new InvalidInputException("Advertise", $"Advertise is '{address}'; it must be an address such as http://node-1:8080.");
        foreach (AggregateNode aggregate in Aggregates)
            aggregate.Processor.Advertise(address);
    }

    /// <summary>Sends commands to the aggregates of <paramref name="definition"/> and reads them, whichever node owns them.</summary>
    /// <exception cref="InvalidInputException">The application does not have this aggregate type.</exception>
    public IAggregateClient<TState> ClientOf<TState>(AggregateDefinition<TState> definition)
        where TState : class
    {
        AggregateNode aggregate = AggregateOf(definition);
        return new AggregateClient<TState>(definition, aggregate.Commands, aggregate.Reads, _timeProvider);
    }

    /// <summary>The documents of <paramref name="projection"/>, for queries.</summary>
    public IMongoCollection<TDocument> DocumentsOf<TDocument>(Projections.ProjectionDefinition<TDocument> projection)
        where TDocument : class
    {
        ArgumentNullException.ThrowIfNull(projection);
        return ReadModels.GetCollection<TDocument>(projection.Name);
    }

    /// <summary>All aggregates of <paramref name="definition"/> in this node's partitions that have events.</summary>
    /// <exception cref="InvalidInputException">The application does not have this aggregate type.</exception>
    /// <exception cref="AggregateUnavailableException">A partition does not serve.</exception>
    public IAsyncEnumerable<AggregateView<TState>> ReadAllAsync<TState>(
        AggregateDefinition<TState> definition, CancellationToken cancellationToken = default)
        where TState : class => AggregateOf(definition).Processor.ReadAllAsync(cancellationToken).Select(definition.Typed);

    /// <summary>The part of <paramref name="definition"/>.</summary>
    /// <exception cref="InvalidInputException">The application does not have this aggregate type.</exception>
    public AggregateNode AggregateOf(AggregateDefinition definition)
    {
        ArgumentNullException.ThrowIfNull(definition);
        return Aggregates.FirstOrDefault(a => a.Definition == definition)
            ?? throw new InvalidInputException("aggregate",
                $"The application '{Application.Name}' does not have the aggregate type '{definition.Name}'.");
    }

    /// <summary>The part that decides commands of <paramref name="commandType"/>.</summary>
    /// <exception cref="InvalidInputException">No aggregate type of the application does, or several do.</exception>
    public AggregateNode AggregateOf(Type commandType)
    {
        ArgumentNullException.ThrowIfNull(commandType);
        if (_byCommand.TryGetValue(commandType, out AggregateNode? aggregate) && aggregate is not null)
            return aggregate;
        string[] names = [.. Application.Aggregates.Where(a => a.Accepts(commandType)).Select(a => $"'{a.Name}'")];
        throw new InvalidInputException("command", names.Length == 0
            ? $"The application '{Application.Name}' has no aggregate that decides {commandType.Name}."
            : $"The aggregate types {string.Join(" and ", names)} decide {commandType.Name}: send it by the client of one of them.");
    }

    /// <summary>Completes once all read models include every event that is committed at the time of the call.</summary>
    public async Task WaitForReadModelsAsync(CancellationToken cancellationToken = default)
    {
        // A part that stopped must not look like a slow one, nor hold up those whose read models it shares.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        List<Task> parts = [.. Aggregates.Select(a => a.WaitForReadModelsAsync(stop.Token))];
        Task all = Task.WhenAll(parts);
        try
        {
            while (parts.Count > 0)
            {
                Task ended = await Task.WhenAny([Completion, .. parts]).ConfigureAwait(false);
                await ended.ConfigureAwait(false);
                if (!parts.Remove(ended))
                    break;
            }
        }
        catch
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await all.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }

        await all.ConfigureAwait(false);
    }

    /// <summary>Stops the node. Another call does nothing.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        await _stop.CancelAsync().ConfigureAwait(false);
        if (_broker is not null)
            await _broker.DisposeAsync().ConfigureAwait(false);
        if (_registryProbe is not null)
            await _registryProbe.DisposeAsync().ConfigureAwait(false);
        // before what their handlers may use
        await Task.WhenAll(Subscriptions.Select(s => s.DisposeAsync().AsTask())).ConfigureAwait(false);
        if (_archive is not null)
            await _archive.StopAsync().ConfigureAwait(false);
        _hasEnded = true;
        if (_ownServices is not null)
            await _ownServices.DisposeAsync().ConfigureAwait(false);
        foreach (AggregateNode aggregate in Aggregates)
            await aggregate.DisposeAsync().ConfigureAwait(false);
        if (_readModelStart is not null)
            await _readModelStart.Ready.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_archive is not null)
            await _archive.DisposeAsync().ConfigureAwait(false);
        if (_subjectKeys is not null)
            await _subjectKeys.DisposeAsync().ConfigureAwait(false);
        _readModels?.Dispose();
        _registry.Dispose();
        _stop.Dispose();
    }

    private async Task StartParts(KafkaEventSourcingOptions options, ILoggerFactory loggers, IServiceProvider? services,
        TimeProvider timeProvider, Action<Func<string>> entering, CancellationToken cancellationToken)
    {
        IReadOnlyList<AvroRecordType> types = RecordTypesOf(Application);
        _subjectKeys = await PersonalData.StartAsync(Application.Name, types, Addresses.KafkaConnection, _registry, options, services,
            timeProvider, loggers, cancellationToken).ConfigureAwait(false);
        var serde = AvroMessageSerde.Create(_registry, types, _subjectKeys);
        _readModelStart = new ReadModelStart(_readModels, Application.Projections, loggers.CreateLogger<ReadModelStart>(), timeProvider,
            _stop.Token);
        KafkaConnection kafka = await WithArchive(options, loggers, services, timeProvider, cancellationToken).ConfigureAwait(false);
        var started = new List<AggregateNode>();
        Aggregates = started;
        foreach (AggregateDefinition aggregate in Application.Aggregates)
        {
            entering(() => $"asking Kafka and the Schema Registry for the topics and schemas of '{aggregate.Name}'");
            AggregateNode part = await AggregateNode.Start(
                aggregate, [.. Application.Projections.Where(p => Application.AggregatesOf(p).Contains(aggregate))], _readModels,
                _readModelStart.Ready, serde, Application, kafka, options, loggers, timeProvider,
                cancellationToken).ConfigureAwait(false);
            started.Add(part);
            foreach (Type command in aggregate.CommandTypes.Where(aggregate.Accepts))
                _byCommand[command] = _byCommand.ContainsKey(command) ? null : part;
        }

        // A handler may send a command or read: while the node restores it would fail at each event, and park it.
        var serves = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        services ??= _ownServices = ServicesOfItsOwn(loggers, timeProvider);
        Subscriptions = [.. Application.Subscriptions.Select(s =>
            SubscriptionRunner.Start(SubscriptionOverrides.Over(s, options), Application.Name, kafka, serde,
                services, serves.Task, timeProvider, loggers))];
        _subjectKeys?.OnErased(() => Task.WhenAll(started.Select(p => p.Processor.ForgetErasedAsync())));
        Completion = Watch([.. started.Select(p => p.Completion), .. Subscriptions.Select(s => s.Completion),
            .. _subjectKeys is null ? [] : (Task[])[_subjectKeys.Completion]]);
        entering(() => $"joining its groups and restoring partitions ({string.Join(", ", started.Select(ServingOf))})");
        Task ready = Task.WhenAll([.. started.Select(a => a.Processor.Ready), .. Subscriptions.Select(s => s.Ready)]);
        if (await Task.WhenAny(ready, Completion).WaitAsync(options.StartTimeout, timeProvider, cancellationToken).ConfigureAwait(false)
            == Completion)
            await Completion.ConfigureAwait(false);
        await ready.ConfigureAwait(false);
        await _readModelStart.NodeServes().ConfigureAwait(false);
        _broker = new BrokerProbe(Addresses.KafkaConnection, () => Aggregates, options.BrokerSilence / 2, timeProvider);
        _registryProbe = new ServerProbe(AskRegistry, RegistryInterval, timeProvider);
        Checks = new NodeChecks(this, _broker, _registryProbe, _readModels, options.BrokerSilence).All;
        _archive?.Start(Application, started, kafka, _registry, serde, options.StreamSnapshots.AsReadOnly(), _readModels);
        serves.SetResult();
    }

    // Whoever reads events reads those that have left their topics from the archive.
    private async Task<KafkaConnection> WithArchive(KafkaEventSourcingOptions options, ILoggerFactory loggers, IServiceProvider? services,
        TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        KafkaConnection kafka = Addresses.KafkaConnection;
        if (options.Archive.Location is not { } location)
            return kafka;
        IArchiveStore store = await new ArchiveOpening(Application, kafka).OpenAsync(location,
            services?.GetServices<IArchiveStoreProvider>() ?? [], cancellationToken).ConfigureAwait(false);
        _archive = new NodeArchive(store, Application, kafka, options.Archive, timeProvider, loggers);
        return kafka with { Cold = _archive.Reader };
    }

    // Of a node that is in no host.
    private ServiceProvider ServicesOfItsOwn(ILoggerFactory loggers, TimeProvider timeProvider)
    {
        var services = new ServiceCollection();
        services.AddSingleton(loggers);
        services.AddLogging();
        services.AddSingleton(timeProvider);
        services.AddSingleton<ICommandClient>(this);
        Application.ConfigureServices?.Invoke(services);
        return services.BuildServiceProvider();
    }

    // Any answer will do, be it a refusal: what matters is that somebody is there.
    private async Task AskRegistry(CancellationToken cancellationToken)
    {
        try
        {
            await _registry.GetCompatibilityAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (SchemaRegistryException answered) when ((int)answered.Status < 500)
        {
            // It may not be ours to ask.
        }
    }

    private static string ServingOf(AggregateNode started)
    {
        IReadOnlyDictionary<int, PartitionStatus> partitions = started.Processor.Partitions;
        return $"{started.Definition.Name}: {partitions.Values.Count(s => s == PartitionStatus.Serving)} of {partitions.Count} serve";
    }

    private static async Task Watch(Task[] parts) => await (await Task.WhenAny(parts).ConfigureAwait(false)).ConfigureAwait(false);

    /// <summary>The message and state types of <paramref name="application"/>, the engine's own left out.</summary>
    internal static IReadOnlyList<AvroRecordType> RecordTypesOf(ApplicationDefinition application) =>
        [.. application.Aggregates.SelectMany(a =>
            a.CommandTypes.Where(a.Accepts).Concat(a.EventTypes).Concat(a.UpcastTypes).Append(a.StateType)).Distinct().Select(
                RecordTypeOf)];

    internal static AvroRecordType RecordTypeOf(Type type)
    {
        if (!typeof(IAvroRecord).IsAssignableFrom(type))
            throw new InvalidOperationException(
                $"{type.Name} is not generated from an Avro schema: add its .avsc file to the project as an additional file.");
        try
        {
            return (AvroRecordType)typeof(AvroRecordType).GetMethod(nameof(AvroRecordType.Of), BindingFlags.Public | BindingFlags.Static,
                [])!.MakeGenericMethod(type).Invoke(null, null)!;
        }
        catch (TargetInvocationException failed) when (failed.InnerException is { } inner)
        {
            throw new InvalidOperationException($"The schema of {type.Name} cannot be used: {inner.Message}", inner);
        }
    }
}
