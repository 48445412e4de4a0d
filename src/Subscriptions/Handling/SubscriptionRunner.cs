using System.Globalization;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>A subscription that runs on this node. Thread-safe.</summary>
public sealed class SubscriptionRunner : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<string, StalledPartitions> _stops = [];
    private readonly Dictionary<string, SubscriptionLedger> _ledgers = [];

    private SubscriptionRunner(SubscriptionDefinition definition) => Definition = definition;

    /// <summary>What runs.</summary>
    public SubscriptionDefinition Definition { get; }

    /// <summary>
    /// By the name of an aggregate type, its partitions that stand still, at an event that is not handled or as their log is not the one
    /// before.
    /// </summary>
    public IReadOnlyDictionary<string, StalledPartitions> Stops => _stops;

    /// <summary>By the name of an aggregate type, how many of its aggregates are parked in the partitions that this node has.</summary>
    public IReadOnlyDictionary<string, int> Parked => _ledgers.ToDictionary(l => l.Key, l => l.Value.Partitions.Sum(p => p.ParkedCount));

    /// <summary>
    /// Ends when the handlers can be made and it is in the log where the subscription begins, or faults; a subscription from now on has
    /// every event that is appended after that.
    /// </summary>
    public Task Ready { get; private set; } = Task.CompletedTask;

    /// <summary>Ends when the subscription was disposed, or faults with what stopped it.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <summary>Starts <paramref name="definition"/> for the <paramref name="application"/>; its topics must exist.</summary>
    /// <param name="definition">What runs.</param>
    /// <param name="application">The application's name.</param>
    /// <param name="connection">The cluster.</param>
    /// <param name="serde">Reads the events.</param>
    /// <param name="services">What handlers that are made for each attempt are made with; null: there are none.</param>
    /// <param name="begin">When it has completed, handling begins: what handlers use may have to start first.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="loggerFactory">Where it logs.</param>
    public static SubscriptionRunner Start(
        SubscriptionDefinition definition, string application, KafkaConnection connection, AvroMessageSerde serde,
        IServiceProvider? services, Task begin, TimeProvider timeProvider, ILoggerFactory loggerFactory)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentNullException.ThrowIfNull(connection);
        ArgumentNullException.ThrowIfNull(begin);
        ArgumentNullException.ThrowIfNull(loggerFactory);
        var runner = new SubscriptionRunner(definition);
        var running = new List<Task>();
        var ready = new List<Task>();
        Task checking = definition.CheckHandlers(services);
        foreach (AggregateDefinition aggregate in definition.Aggregates)
        {
            var topics = new TopicFamily(application, aggregate.Name);
            var options = new EventSubscriptionOptions
            {
                GroupId = definition.GroupOf(application, aggregate),
                MaxBatchEvents = definition.Options.MaxBatchEvents,
                MaxWaitingBytes = definition.Options.MaxWaitingBytes,
                SessionTimeout = definition.Options.SessionTimeout,
                StopTimeout = definition.Options.StopTimeout,
            };
            var events = new EventSubscription(connection, topics, serde, options, timeProvider, loggerFactory, aggregate);
            var handling = new EventHandling(definition, aggregate.Name, options.GroupId, serde, services, timeProvider,
                loggerFactory.CreateLogger<EventHandling>());
            SubscriptionLedger? ledger = null;
            var resolver = new ParkedResolver(definition, handling, new HistoryReader(connection, topics, serde, aggregate),
                options.GroupId, timeProvider, loggerFactory.CreateLogger<ParkedResolver>()) { Ledger = () => ledger! };
            ledger = new SubscriptionLedger(connection, options.GroupId, topics, definition.Name, timeProvider,
                loggerFactory.CreateLogger<SubscriptionLedger>()) { Work = resolver.Run };
            var dispatcher = new EventDispatcher(definition, handling, ledger, options.GroupId,
                loggerFactory.CreateLogger<EventDispatcher>());
            runner._stops.Add(aggregate.Name, events.Stops);
            runner._ledgers.Add(aggregate.Name, ledger);
            Task prepared = runner.Prepare(checking, ledger, connection, timeProvider);
            ready.Add(prepared);
            running.Add(Run(prepared, begin, events, ledger, dispatcher, runner._stop.Token));
        }

        runner.Ready = Task.WhenAll(ready);
        runner.Completion = runner.Watch(running);
        return runner;
    }

    /// <summary>
    /// Cancels what is being handled, writes what was, gives the partitions to others, and returns when all of it is done.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (SubscriptionLedger ledger in _ledgers.Values)
            await ledger.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task Prepare(Task checking, SubscriptionLedger ledger, KafkaConnection connection, TimeProvider timeProvider)
    {
        await checking.ConfigureAwait(false);
        await Task.Factory.StartNew(
            () => ledger.Prepare(partition => StartOf(Definition, connection, partition, timeProvider, _stop.Token), _stop.Token),
            _stop.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false);
    }

    // On a thread that may block.
    private static long StartOf(SubscriptionDefinition definition, KafkaConnection connection, TopicPartition partition,
        TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        SubscriptionStart start = definition.Start;
        // No offset stands for it yet: what is appended before that time would be handled.
        if (start.Time is { } future && future > timeProvider.GetUtcNow())
            throw new InvalidInputException("StartingAt", string.Create(CultureInfo.InvariantCulture,
                $"The subscription '{definition.Name}' is new and starts at {future.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.fff'Z'}, which is "
                    + $"in the future: start it then, or from {nameof(SubscriptionStart)}.{nameof(SubscriptionStart.Now)} on."));
        using PartitionLogReader reader = PartitionLogReader.ToEnd(connection, "kes-subscription-start", patience: Patience);
        WatermarkOffsets bounds = reader.Bounds(partition, cancellationToken);
        if (start is { IsNow: false, Time: null })
            return bounds.Low.Value;
        if (start.Time is { } time)
        {
            if (reader.OffsetAt(partition, time, cancellationToken) is >= 0 and var at)
                return at;
        }

        return bounds.High.Value;
    }

    private static async Task Run(Task prepared, Task begin, EventSubscription events, SubscriptionLedger ledger,
        EventDispatcher dispatcher, CancellationToken cancellationToken)
    {
        try
        {
            await prepared.ConfigureAwait(false);
            await begin.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return;
        }

        await events.RunAsync(ledger, dispatcher.Handle, cancellationToken).ConfigureAwait(false);
    }

    private async Task Watch(List<Task> running)
    {
        await (await Task.WhenAny(running).ConfigureAwait(false)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _stop.CancelAsync().ConfigureAwait(false); // half a subscription is none
        await Task.WhenAll(running).ConfigureAwait(false);
    }
}
