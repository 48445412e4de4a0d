using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>A subscription that runs on this node. Thread-safe.</summary>
public sealed class SubscriptionRunner : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<string, SubscriptionStops> _stops = [];

    private SubscriptionRunner(SubscriptionDefinition definition) => Definition = definition;

    /// <summary>What runs.</summary>
    public SubscriptionDefinition Definition { get; }

    /// <summary>By the name of an aggregate type, its partitions that stand still at an event that is not handled.</summary>
    public IReadOnlyDictionary<string, SubscriptionStops> Stops => _stops;

    /// <summary>Ends when the subscription was disposed, or faults with what stopped it.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <summary>Starts <paramref name="definition"/> for the <paramref name="application"/>; its topics must exist.</summary>
    public static SubscriptionRunner Start(
        SubscriptionDefinition definition, string application, KafkaConnection connection, AvroMessageSerde serde, TimeProvider timeProvider, ILoggerFactory loggerFactory)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentNullException.ThrowIfNull(connection);
        var runner = new SubscriptionRunner(definition);
        var running = new List<Task>();
        foreach (AggregateDefinition aggregate in definition.Aggregates)
        {
            var topics = new TopicFamily(application, aggregate.Name);
            var options = new EventSubscriptionOptions
            {
                GroupId = definition.GroupOf(application, aggregate),
                KeepsPositions = true,
                MaxBatchEvents = definition.Options.MaxBatchEvents,
                MaxWaitingBytes = definition.Options.MaxWaitingBytes,
                SessionTimeout = definition.Options.SessionTimeout,
            };
            var events = new EventSubscription(connection, topics, serde, options, timeProvider, loggerFactory);
            var dispatcher = new EventDispatcher(definition, aggregate.Name, options.GroupId, timeProvider, loggerFactory.CreateLogger<EventDispatcher>());
            runner._stops.Add(aggregate.Name, events.Stops);
            running.Add(events.Run((partition, token) => new(StartOf(definition.Start, connection, new TopicPartition(topics.Events, partition), token)), dispatcher.Handle, runner._stop.Token));
        }

        runner.Completion = runner.Watch(running);
        return runner;
    }

    /// <summary>Cancels what is being handled, commits what was, gives the partitions to others, and returns when all of it is done.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    // Null: at the first event. On the subscription's own thread.
    private static long? StartOf(SubscriptionStart start, KafkaConnection connection, TopicPartition partition, CancellationToken cancellationToken)
    {
        if (start is { IsNow: false, Time: null })
            return null;
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(connection.Consumer("kes-subscription-start")).Build();
        if (start.Time is { } time)
        {
            long at = PartitionOffsets.At(consumer, [new TopicPartitionTimestamp(partition, new Timestamp(time))], Patience, cancellationToken)[partition];
            if (at >= 0)
                return at;
        }

        return PartitionOffsets.Query(consumer, partition, Patience, cancellationToken).High.Value;
    }

    private async Task Watch(List<Task> running)
    {
        await (await Task.WhenAny(running).ConfigureAwait(false)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _stop.CancelAsync().ConfigureAwait(false); // half a subscription is none
        await Task.WhenAll(running).ConfigureAwait(false);
    }
}
