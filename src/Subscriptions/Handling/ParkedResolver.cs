using System.Globalization;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>
/// Resolves parked aggregates, as an operator asks, or as the handlers have a higher revision: reads what was kept from the event log,
/// handles it in order, and unparks the aggregate when nothing is kept any more. One of a partition at a time, while the partition's other
/// events go on. Thread-safe.
/// </summary>
internal sealed partial class ParkedResolver(SubscriptionDefinition subscription, EventHandling handling, HistoryReader history,
    string group, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan WriteAgain = TimeSpan.FromSeconds(1);

    /// <summary>Where it is written.</summary>
    public required Func<SubscriptionLedger> Ledger { private get; init; }

    /// <summary>Acts on what is asked of <paramref name="partition"/>, until it goes.</summary>
    public async Task Run(SubscriptionPartition partition)
    {
        await Task.Yield(); // whoever begins a partition does not wait for it
        try
        {
            foreach (ParkedAggregate parked in partition.Parked.Where(p => p.Revision < subscription.Options.Revision))
            {
                string by = string.Create(CultureInfo.InvariantCulture, $"revision {subscription.Options.Revision}");
                await Act(partition, new SubscriptionRequest
                {
                    Id = "",
                    AggregateId = parked.AggregateId,
                    IsSkip = false,
                    By = by,
                }).ConfigureAwait(false);
            }

            await foreach (SubscriptionRequest request in partition.Requests.ReadAllAsync(partition.Closing).ConfigureAwait(false))
                await Act(partition, request).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (partition.Closing.IsCancellationRequested)
        {
            // The next owner acts on what is left.
        }
    }

    private async Task Act(SubscriptionPartition partition, SubscriptionRequest request)
    {
        try
        {
            SubscriptionAnswer answer = await Resolve(partition, request).ConfigureAwait(false);
            LogResolved(group, request.AggregateId, request.By, answer.IsDone, answer.Handled, answer.Message);
        }
        catch (OperationCanceledException) when (partition.Closing.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception failed)
        {
            LogFailed(failed, group, request.AggregateId, request.By);
            await Answer(partition, request, [], new SubscriptionAnswer(false, 0, failed.Message)).ConfigureAwait(false);
        }
    }

    private async Task<SubscriptionAnswer> Resolve(SubscriptionPartition partition, SubscriptionRequest request)
    {
        if (!AggregateId.TryParse(request.AggregateId, out AggregateId aggregate, out string? error))
            return await Answer(partition, request, [], new SubscriptionAnswer(false, 0, error)).ConfigureAwait(false);
        if (partition.Find(aggregate) is not { } parked)
            return await Answer(partition, request, [], new SubscriptionAnswer(false, 0, "It is not parked.")).ConfigureAwait(false);
        if (request.IsSkip && request.Offset != parked.Offset)
            return await Answer(partition, request, [],
                new SubscriptionAnswer(false, 0,
                    string.Create(CultureInfo.InvariantCulture,
                        $"It is parked at {parked.Partition}@{parked.Offset}, not at {parked.Partition}@{request.Offset}.")))
                        .ConfigureAwait(false);
        EventLogExtent log = await history.ExtentAsync(partition.Closing).ConfigureAwait(false);
        long first = log.Partitions.TryGetValue(partition.Number, out PartitionExtent extent) ? extent.Start : 0;
        if (first > parked.Offset && !request.IsSkip)
            return await Answer(partition, request, [],
                new SubscriptionAnswer(false, 0,
                    string.Create(CultureInfo.InvariantCulture,
                        $"The event log begins at {partition.Number}@{first}: the event "
                            + $"at {parked.Offset} was deleted. It can be skipped only."))).ConfigureAwait(false);

        List<Message<byte[], byte[]?>> records = request.IsSkip
            ? [LedgerFormat.SkippedAt(new SkippedEvent
            {
                Event = parked,
                By = request.By,
                Reason = request.Reason ?? "",
                Time = time.GetUtcNow(),
            })]
            : [];
        if (request.IsSkip)
            partition.Skip(parked.Offset);
        long next = request.IsSkip ? parked.Offset + 1 : parked.Offset;
        long handled = 0;
        do
        {
            long end = partition.KeptUpTo(aggregate);
            await foreach (RecordedEvent recorded in history.ReadAggregateAsync(aggregate, next, partition.Closing).ConfigureAwait(false))
            {
                if (recorded.Offset >= end)
                    break;
                if (!subscription.Handles(recorded) || partition.IsSkipped(recorded.Offset))
                    continue;
                if (await handling.Handle(recorded, partition.Closing).ConfigureAwait(false) is { } failure)
                {
                    ParkedAggregate again = handling.ParkedAt(recorded, partition.Position.Topic, failure, parked);
                    partition.TryPark(aggregate, again, int.MaxValue);
                    return await Answer(partition, request,
                        [.. records, LedgerFormat.ParkedAt(again)], new SubscriptionAnswer(false, handled,
                        string.Create(CultureInfo.InvariantCulture,
                            $"It is parked at {again.Partition}@{again.Offset}, version {again.Version}, after {failure.Attempts} more "
                                + $"attempts: {again.Error}"))).ConfigureAwait(false);
                }

                handled++;
            }

            next = Math.Max(next, end);
        }
        while (!partition.TryUnpark(aggregate, next));

        return await Answer(partition, request, [.. records, LedgerFormat.Unparked(aggregate)],
            new SubscriptionAnswer(true, handled, null)).ConfigureAwait(false);
    }

    // What was done is done: it is written, however long it takes, unless the partition goes. Then the next owner does it again.
    private async Task<SubscriptionAnswer> Answer(SubscriptionPartition partition, SubscriptionRequest request,
        IEnumerable<Message<byte[], byte[]?>> records, SubscriptionAnswer answer)
    {
        List<Message<byte[], byte[]?>> all = [.. records];
        if (request.Id.Length > 0)
            all.Add(LedgerFormat.Answered(request.Id, answer));
        while (all.Count > 0)
        {
            try
            {
                await Ledger().Write(partition, all, partition.Closing).ConfigureAwait(false);
                break;
            }
            catch (KafkaException away)
            {
                LogNotWritten(away, group, request.AggregateId);
            }

            await Task.Delay(WriteAgain, time, partition.Closing).ConfigureAwait(false);
            all = [.. StillTrue(partition, all)];
        }

        return answer;
    }

    /// <summary>
    /// Of what could not be written at once, what is so still: an aggregate that was unparked may have been parked again meanwhile, by a
    /// later event, whose letter must not be taken away.
    /// </summary>
    internal static IEnumerable<Message<byte[], byte[]?>> StillTrue(SubscriptionPartition partition,
        IEnumerable<Message<byte[], byte[]?>> records) => records.Where(r => r.Value is not null || partition.Parked.All(p =>
            !LedgerFormat.IsUnparked(r, p.AggregateId)));

    [LoggerMessage(Level = LogLevel.Error, Message = "{Group}: what became of '{Aggregate}' could not be written; it is tried again")]
    private partial void LogNotWritten(Exception failure, string group, string aggregate);

    [LoggerMessage(Level = LogLevel.Information,
        Message = "{Group}: '{Aggregate}' was tried again, as {By} asked: done {IsDone}, {Handled} events handled. {Message}")]
    private partial void LogResolved(string group, string aggregate, string by, bool isDone, long handled, string? message);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Group}: '{Aggregate}' could not be tried again, as {By} asked; it stays parked")]
    private partial void LogFailed(Exception failure, string group, string aggregate, string by);
}
