using System.Collections.Concurrent;
using System.Globalization;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>
/// Hands the events of a batch to the handlers: those of one aggregate one after the other, several aggregates side by side. An event that
/// is not handled after all attempts parks its aggregate; where there is no room for one more, the batch is not taken and comes again, and
/// what was handled of it is not handled again by this node. Thread-safe for several partitions; batches of one partition come one after
/// the other.
/// </summary>
internal sealed partial class EventDispatcher(SubscriptionDefinition subscription, EventHandling handling, SubscriptionLedger ledger,
    string group, ILogger logger)
{
    public async Task Handle(EventBatch batch, CancellationToken cancellationToken)
    {
        SubscriptionPartition partition = ledger.Find(batch.Partition)
            ?? throw new OperationCanceledException("The partition has gone.", cancellationToken);
        foreach ((long Offset, int Part) taken in partition.Taken.Keys.Where(t => t.Offset < batch.FromOffset))
            partition.Taken.TryRemove(taken, out _);
        bool IsLeft(RecordedEvent recorded) => subscription.Handles(recorded)
            && !partition.Taken.ContainsKey((recorded.Offset, recorded.Part)) && !partition.IsSkipped(recorded.Offset);
        IEnumerable<IGrouping<AggregateId, RecordedEvent>> aggregates = batch.Events.Where(IsLeft).GroupBy(e => e.AggregateId);
        var failures = new ConcurrentQueue<(long Offset, Exception Failure)>();
        try
        {
            await Parallel.ForEachAsync(
                aggregates,
                new ParallelOptions
                {
                    MaxDegreeOfParallelism = subscription.Options.MaxAggregatesPerPartition, CancellationToken = cancellationToken,
                },
                (aggregate, token) => HandleInOrder(partition, aggregate, failures, token)).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // what was handled need not come again
            partition.Advance(batch.Events.FirstOrDefault(IsLeft)?.Offset ?? batch.NextOffset);
            throw;
        }

        if (!failures.IsEmpty)
        {
            (_, Exception first) = failures.MinBy(f => f.Offset);
            throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture,
                $"The subscription '{subscription.Name}' does not take it after {subscription.Options.Attempts} attempts, "
                    + $"and {subscription.Options.MaxParkedAggregates} aggregates of the partition are parked already, which is as many "
                    + $"as may be: {first.Message}"), first);
        }
    }

    private async ValueTask HandleInOrder(SubscriptionPartition partition, IGrouping<AggregateId, RecordedEvent> aggregate,
        ConcurrentQueue<(long Offset, Exception Failure)> failures, CancellationToken cancellationToken)
    {
        long kept = -1; // what an event is upcast to waits together: whoever unparks the aggregate handles all of it
        foreach (RecordedEvent recorded in aggregate)
        {
            if (recorded.Offset != kept && !partition.Keeps(recorded))
            {
                HandlingFailure? failure = await handling.Handle(recorded, cancellationToken).ConfigureAwait(false);
                if (failure is null)
                {
                    await Unpark(partition, recorded.AggregateId, cancellationToken).ConfigureAwait(false);
                }
                else if (await TryPark(partition, recorded, failure, cancellationToken).ConfigureAwait(false))
                {
                    kept = recorded.Offset;
                }
                else
                {
                    failures.Enqueue((recorded.Offset, failure.Exception));
                    return; // its later events wait for this one; other aggregates go on
                }
            }
            else
            {
                kept = recorded.Offset;
            }

            partition.Taken[(recorded.Offset, recorded.Part)] = true;
        }
    }

    // The letter is in the log before the position moves past the event. A crash between the two has the event come again, and its
    // aggregate is parked then already.
    private async Task<bool> TryPark(SubscriptionPartition partition, RecordedEvent recorded, HandlingFailure failure,
        CancellationToken cancellationToken)
    {
        ParkedAggregate? before = partition.Find(recorded.AggregateId);
        ParkedAggregate parked = handling.ParkedAt(recorded, partition.Position.Topic, failure, before);
        if (!partition.TryPark(recorded.AggregateId, parked, subscription.Options.MaxParkedAggregates))
            return false;
        try
        {
            await ledger.Write(partition, [LedgerFormat.ParkedAt(parked)], cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            partition.Doubt(recorded.AggregateId, before);
            throw;
        }

        LogParked(logger, failure.Exception, group, recorded.AggregateId.Value, recorded.Partition, recorded.Offset, failure.Attempts);
        return true;
    }

    // A letter whose write failed may be in the log all the same; once its event is handled, it must not be.
    private async Task Unpark(SubscriptionPartition partition, AggregateId aggregate, CancellationToken cancellationToken)
    {
        if (!partition.IsDoubtful(aggregate))
            return;
        await ledger.Write(partition, [LedgerFormat.Unparked(aggregate)], cancellationToken).ConfigureAwait(false);
        partition.Trust(aggregate);
    }

    [LoggerMessage(Level = LogLevel.Error,
        Message = "{Group}: '{Aggregate}' is parked at the event of partition {Partition} at {Offset}, which was not handled in "
            + "{Attempts} attempts; its later events wait, those of others go on")]
    private static partial void LogParked(ILogger logger, Exception failed, string group, string aggregate, int partition, long offset,
        int attempts);
}
