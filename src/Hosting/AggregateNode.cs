using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.Nodes;
using KafkaEventSourcing.Processing;
using KafkaEventSourcing.Projections;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting;

/// <summary>One aggregate type on one node: its partition tasks, its entry points, and its read models. Thread-safe.</summary>
public sealed class AggregateNode : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly NodeClient _nodes;
    private readonly TopicFamilyWatch _watch;
    private Task _projecting = Task.CompletedTask;
    private EventSubscription? _events;

    private AggregateNode(
        AggregateDefinition definition, TopicFamily topics, CommandProcessor processor, OwnerDirectory owners, NodeCodec codec,
        CommandClient topic, HistoryReader history, ProjectionEngine? projections,
        TopicFamilyWatch watch, KafkaEventSourcingOptions options, TimeProvider time)
    {
        _watch = watch;
        (Definition, Topics, Processor, Owners, CommandTopic, History, Projections) = (definition, topics, processor, owners, topic,
            history, projections);
        _nodes = new NodeClient(definition.Name, processor.NodeId, codec, options.Secret, time);
        Commands = new CommandRouter(processor, owners, _nodes, topic, options.CommandTimeout, time);
        Reads = new AggregateReads(processor, owners, _nodes, options.ReadTimeout, time);
        Histories = new AggregateHistory(definition, Reads);
        (Codec, Secret) = (codec, options.Secret);
    }

    /// <summary>The aggregate type.</summary>
    public AggregateDefinition Definition { get; }

    /// <summary>Its topics.</summary>
    public TopicFamily Topics { get; }

    /// <summary>The partition tasks of this node, and reads from their state.</summary>
    public CommandProcessor Processor { get; }

    /// <summary>Who owns which partition.</summary>
    public OwnerDirectory Owners { get; }

    /// <summary>
    /// The producers' entry point: direct to the aggregate's owner, on this node or another; by the command topic while there is none.
    /// </summary>
    public ICommandClient Commands { get; }

    /// <summary>Reads of aggregates, whichever node owns them.</summary>
    public AggregateReads Reads { get; }

    /// <summary>Histories of aggregates, and what they were, whichever node owns them.</summary>
    public AggregateHistory Histories { get; }

    /// <summary>The client of the command topic, as producers outside the application use it.</summary>
    public CommandClient CommandTopic { get; }

    /// <summary>The events themselves.</summary>
    public HistoryReader History { get; }

    /// <summary>The read models; null when none reads this aggregate's events.</summary>
    public ProjectionEngine? Projections { get; }

    /// <summary>
    /// What was seen last of its topics: whether one loses data, is weaker than it should be, or cannot be worked on. They are looked at
    /// every minute.
    /// </summary>
    public TopicStatus TopicStatus => _watch.Status;

    /// <summary>Bodies of what nodes ask one another.</summary>
    internal NodeCodec Codec { get; }

    /// <summary>What nodes show that ask this one; null: nothing.</summary>
    internal NodeSecret? Secret { get; }

    /// <summary>Ends when a part of the node stopped: faulted with its fault, or quietly after disposal.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    internal static async Task<AggregateNode> Start(
        AggregateDefinition definition, IReadOnlyList<ProjectionDefinition> projections, IProjectionStore? readModels, Task readModelsReady,
        AvroMessageSerde serde,
        ApplicationDefinition application, KafkaConnection kafka, KafkaEventSourcingOptions options, ILoggerFactory loggers,
        TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        TopicFamily topics = application.TopicsOf(definition);
        // Those of the types that its read models share, too: how far their logs reach is asked before their parts start.
        AggregateDefinition[] sharing = [.. projections.SelectMany(application.AggregatesOf).Where(a => a != definition).Distinct()];
        using (var provisioner = new TopicProvisioner(kafka))
        {
            foreach (AggregateDefinition aggregate in (AggregateDefinition[])[definition, .. sharing])
            {
                TopicFamily family = application.TopicsOf(aggregate);
                TopicPlan plan = await provisioner.PlanMissingAsync(family, options.Partitions, options.ReplicationFactor, aggregate.Reacts,
                    cancellationToken).ConfigureAwait(false);
                await provisioner.ApplyAsync(plan, cancellationToken).ConfigureAwait(false);
            }
        }

        var processor = new CommandProcessor(definition, topics, kafka, serde,
            options.Processing.Over(new CommandProcessorOptions
            {
                StateDirectory = Path.Combine(options.DataDirectoryOf(application.Name), "state", definition.Name),
                BarrierEvents = options.BarrierEvents,
                StreamSnapshots = options.StreamSnapshots.TryGetValue(definition.Name, out string? snapshots) ? snapshots : null,
                Standbys = options.Standbys,
                NodeId = options.NodeId,
                SessionTimeout = options.SessionTimeout,
                CachedBytes = NodeMemory.CachedBytes(application.Aggregates.Count),
                MaxWaitingBytes = options.MaxWaitingBytes ?? NodeMemory.WaitingBytes(application.Aggregates.Count),
                IgnoreUnknownEvents = options.IgnoreUnknownEvents,
                AnswerTimeout = options.CommandTimeout,
                StateStores = options.StateStores,
            }),
            timeProvider, loggers, application.Aggregates);
        TopicFamilyWatch? watch = null;
        OwnerDirectory? owners = null;
        CommandClient? commands = null;
        HistoryReader? history = null;
        ProjectionEngine? engine = null;
        AggregateNode node;
        try
        {
            watch = await TopicFamilyWatch.StartAsync(kafka, topics, definition.Reacts, options.AcceptDataLoss, timeProvider,
                loggers.CreateLogger<TopicFamilyWatch>(), cancellationToken).ConfigureAwait(false);
            await processor.StartAsync(cancellationToken).ConfigureAwait(false);
            NodeCodec codec = await NodeCodec.Create(serde, topics, definition, cancellationToken).ConfigureAwait(false);
            owners = OwnerDirectory.Start(kafka, topics, serde, loggers);
            commands = await CommandClient.StartAsync(
                kafka, topics, serde, definition.CommandTypes.Where(definition.Accepts),
                new CommandClientOptions { Timeout = options.CommandTimeout, MaxCommandBytes = options.Processing.MaxCommandBytes },
                timeProvider, loggers, cancellationToken).ConfigureAwait(false);
            history = new HistoryReader(kafka, topics, serde, definition);
            ProjectionEngineOptions projecting = options.ReadModels.Over(
                new ProjectionEngineOptions { CachedBytes = NodeMemory.CachedBytes(application.Aggregates.Count) });
            var feed = new ProjectionFeed(
                definition.Name, application.SharedReadModels(),
                sharing.ToDictionary(a => a.Name, IEventLogExtents (a) =>
                    new HistoryReader(kafka, new TopicFamily(application.Name, a.Name), serde, a)));
            engine = projections.Count == 0
                ? null
                : new ProjectionEngine(projections, readModels!, projecting, loggers.CreateLogger<ProjectionEngine>(), history,
                    timeProvider, feed);
            node = new AggregateNode(definition, topics, processor, owners, codec, commands, history, engine, watch, options, timeProvider);
        }
        catch
        {
            if (engine is not null)
                await engine.DisposeAsync().ConfigureAwait(false);
            if (commands is not null)
                await commands.DisposeAsync().ConfigureAwait(false);
            if (owners is not null)
                await owners.DisposeAsync().ConfigureAwait(false);
            await processor.DisposeAsync().ConfigureAwait(false);
            if (watch is not null)
                await watch.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        node.Completion = node.WatchParts(readModelsReady, kafka, topics, serde, application.Name, options, timeProvider, loggers);
        return node;
    }

    /// <summary>
    /// The partitions whose read models stand still on this node, and why: at an event that cannot be read or that a projection does not
    /// take, or as the log is not the one that they were folded from.
    /// </summary>
    public IReadOnlyDictionary<int, string> StoppedReadModels
    {
        get
        {
            var reasons = new Dictionary<int, string>(_events?.Stops.All() ?? new Dictionary<int, string>());
            foreach (((_, int partition), string reason) in Projections?.Stops.All() ?? new Dictionary<(string, int), string>())
                reasons[partition] = reasons.TryGetValue(partition, out string? other) ? $"{other} {reason}" : reason;
            return reasons;
        }
    }

    /// <summary>Completes once the read models include every event that is committed at the time of the call.</summary>
    /// <exception cref="ReadModelsStoppedException">A partition stands still at an event.</exception>
    public async Task WaitForReadModelsAsync(CancellationToken cancellationToken = default)
    {
        if (Projections is null)
            return;
        // what was deleted behind the node's back is missed now, not at the next check
        await Projections.InspectAsync(cancellationToken).ConfigureAwait(false);
        IReadOnlyDictionary<int, long> ends = await History.EndOffsetsAsync(cancellationToken).ConfigureAwait(false);
        foreach ((int partition, long end) in ends)
        {
            if (end == 0)
                continue;
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Task reached = Projections.WaitForAsync(new ConsistencyToken(partition, end - 1), stop.Token);
            await UnlessStopped(reached, stop).ConfigureAwait(false);
        }

        using var stopWhole = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await UnlessStopped(Projections.WaitUntilWholeAsync(stopWhole.Token), stopWhole).ConfigureAwait(false);
    }

    /// <summary>Stops all parts; what is in flight is finished or given up, never half done.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _projecting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (Projections is not null)
            await Projections.DisposeAsync().ConfigureAwait(false);
        await CommandTopic.DisposeAsync().ConfigureAwait(false);
        await Processor.DisposeAsync().ConfigureAwait(false);
        await Owners.DisposeAsync().ConfigureAwait(false);
        await _watch.DisposeAsync().ConfigureAwait(false);
        _nodes.Dispose();
        await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task UnlessStopped(Task reached, CancellationTokenSource stop)
    {
        Task<string> atEvent = _events!.Stops.Any;
        Task<string> atLog = Projections!.Stops.Any;
        if (await Task.WhenAny(reached, atEvent, atLog).ConfigureAwait(false) != reached && !reached.IsCompleted)
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await reached.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            string reason = await (atLog.IsCompleted ? atLog : atEvent).ConfigureAwait(false);
            throw new ReadModelsStoppedException($"Read models of {Topics.Application}.{Topics.Aggregate} stand still: {reason}");
        }

        await reached.ConfigureAwait(false);
    }

    private async Task WatchParts(
        Task readModelsReady, KafkaConnection kafka, TopicFamily topics, AvroMessageSerde serde, string application,
        KafkaEventSourcingOptions options, TimeProvider time, ILoggerFactory loggers)
    {
        var parts = new List<Task> { Processor.Completion, Owners.Completion };
        if (Projections is { } engine)
        {
            EventSubscriptionOptions subscription = options.ReadModels.Over(new EventSubscriptionOptions
            {
                GroupId = topics.ProjectionsGroup,
                MaxWaitingBytes = NodeMemory.WaitingBytes(1),
                SessionTimeout = options.SessionTimeout,
            });
            _events = new EventSubscription(kafka, topics, serde, subscription, time, loggers, Definition);
            engine.Behind += _events.Restart;
            _projecting = Project(_events, engine, readModelsReady);
            parts.Add(_projecting);
            parts.Add(engine.Completion);
        }

        await (await Task.WhenAny(parts).ConfigureAwait(false)).ConfigureAwait(false);
    }

    private async Task Project(EventSubscription events, ProjectionEngine engine, Task readModelsReady)
    {
        await readModelsReady.WaitAsync(_stop.Token).ConfigureAwait(false);
        await events.RunAsync(
            async (partition, token) => await engine.StartOfAsync(partition, token).ConfigureAwait(false),
            (batch, token) => engine.ProjectAsync(batch.Partition, batch.FromOffset, batch.Events, batch.NextOffset, token),
            _stop.Token).ConfigureAwait(false);
    }
}
