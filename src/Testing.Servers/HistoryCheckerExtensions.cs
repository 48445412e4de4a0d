using System.Runtime.CompilerServices;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Testing;

/// <summary>Checks histories against a log on a cluster.</summary>
public static class HistoryCheckerExtensions
{
    /// <summary>
    /// Takes <paramref name="calls"/> as they are now, reads <paramref name="log"/> to its end, and decides. Calls that have not returned
    /// count as unknown.
    /// </summary>
    /// <exception cref="InvalidDataException">A record of the log is not an event.</exception>
    /// <exception cref="Confluent.Kafka.KafkaException">The cluster does not answer.</exception>
    public static Task<HistoryVerdict> CheckAsync(
        this HistoryChecker checker, HistoryReader log, CallHistory calls, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(checker);
        ArgumentNullException.ThrowIfNull(log);
        return checker.CheckAsync(EventsOf(log, cancellationToken), calls, cancellationToken);
    }

    private static async IAsyncEnumerable<RecordedEvent> EventsOf(
        HistoryReader log, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (int partition in (await log.EndOffsetsAsync(cancellationToken).ConfigureAwait(false)).Keys.Order())
        {
            await foreach (RecordedEvent recorded in log.ReadPartitionAsync(partition, 0, cancellationToken).ConfigureAwait(false))
                yield return recorded;
        }
    }
}
