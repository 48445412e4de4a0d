using System.Collections.Concurrent;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>
/// Hands the events of a batch to the handlers: those of one aggregate one after the other, several aggregates side by side. A batch that is not taken comes again; what was handled of it is not handled again by this node.
/// Thread-safe for several partitions; batches of one partition come one after the other.
/// </summary>
internal sealed partial class EventDispatcher
{
    private readonly SubscriptionDefinition _subscription;
    private readonly string _aggregateType;
    private readonly string _group;
    private readonly ILogger _logger;
    private readonly ResiliencePipeline _retry;
    private readonly ConcurrentDictionary<int, ConcurrentDictionary<long, bool>> _handled = []; // offsets behind the position, by partition: at most one batch

    public EventDispatcher(SubscriptionDefinition subscription, string aggregateType, string group, TimeProvider time, ILogger logger)
    {
        (_subscription, _aggregateType, _group, _logger) = (subscription, aggregateType, group, logger);
        SubscriptionOptions options = subscription.Options;
        var pipeline = new ResiliencePipelineBuilder { TimeProvider = time };
        if (options.Attempts > 1)
        {
            pipeline.AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = arguments => ValueTask.FromResult(arguments.Outcome.Exception is not null && !arguments.Context.CancellationToken.IsCancellationRequested),
                MaxRetryAttempts = options.Attempts - 1,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = options.RetryDelay,
                MaxDelay = options.MaxRetryDelay,
            });
        }

        _retry = pipeline.Build();
    }

    public async Task Handle(EventBatch batch, CancellationToken cancellationToken)
    {
        ConcurrentDictionary<long, bool> handled = _handled.GetOrAdd(batch.Partition, _ => new());
        foreach (long offset in handled.Keys.Where(o => o < batch.FromOffset))
            handled.TryRemove(offset, out _);
        IEnumerable<IGrouping<AggregateId, RecordedEvent>> aggregates = batch.Events.Where(e => _subscription.Handles(e) && !handled.ContainsKey(e.Offset)).GroupBy(e => e.AggregateId);
        var failures = new ConcurrentQueue<(long Offset, Exception Failure)>();
        await Parallel.ForEachAsync(
            aggregates,
            new ParallelOptions { MaxDegreeOfParallelism = _subscription.Options.MaxAggregatesPerPartition, CancellationToken = cancellationToken },
            async (aggregate, token) =>
            {
                foreach (RecordedEvent recorded in aggregate)
                {
                    if (await Failure(recorded, token).ConfigureAwait(false) is { } failure)
                    {
                        failures.Enqueue((recorded.Offset, failure));
                        return; // its later events wait for this one; other aggregates go on
                    }

                    handled[recorded.Offset] = true;
                    HandlerTelemetry.Handled(_group, batch.Partition);
                }
            }).ConfigureAwait(false);
        if (!failures.IsEmpty)
        {
            (_, Exception first) = failures.MinBy(f => f.Offset);
            throw new InvalidOperationException($"The subscription '{_subscription.Name}' does not take it after {_subscription.Options.Attempts} attempts: {first.Message}", first);
        }
    }

    // Null: it was handled.
    private async Task<Exception?> Failure(RecordedEvent recorded, CancellationToken cancellationToken)
    {
        int attempt = 0;
        try
        {
            await _retry.ExecuteAsync(
                async token =>
                {
                    if (++attempt > 1)
                        HandlerTelemetry.Retried(_group, recorded.Partition);
                    var context = new EventContext { Subscription = _subscription.Name, AggregateType = _aggregateType, Event = recorded, Attempt = attempt };
                    try
                    {
                        await _subscription.Handle(context, token).ConfigureAwait(false);
                    }
                    catch (Exception failed) when (!token.IsCancellationRequested)
                    {
                        LogFailed(_logger, failed, _group, recorded.Partition, recorded.Offset, attempt);
                        throw;
                    }
                },
                cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken); // whatever the handler made of it
        }
        catch (Exception failed)
        {
            return failed;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Group}: the event of partition {Partition} at {Offset} was not handled in attempt {Attempt}")]
    private static partial void LogFailed(ILogger logger, Exception failed, string group, int partition, long offset, int attempt);
}
