using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>Ends decided transactions in the logs that they wrote to. Used under the coordinator's lock.</summary>
internal sealed class TransactionMarkers(TransactionStateManager transactions, CoordinatorTimer timer, Broker broker)
{
    private static readonly TimeSpan MarkerRetry = TimeSpan.FromMilliseconds(500);

    /// <summary>Where the offsets are that are committed in transactions.</summary>
    public static TopicPartition OffsetsPartition { get; } = new(TopicStore.Offsets, 0);

    /// <summary>
    /// Writes the markers of a transaction whose end is decided, or has them written later; the transaction as it is then.
    /// </summary>
    public TransactionMetadata Write(TransactionMetadata decided)
    {
        // In a cluster the answer does not wait for the markers. An id whose epochs are used up is changed at once, so that the answer can
        // report it.
        if (broker.Cluster is not { } cluster || decided.IsEpochExhausted)
            return Complete(decided);
        CompleteLater(decided.Id, cluster.MarkerDelay(decided.Id, decided.ProducerEpoch));
        return decided;
    }

    /// <summary>
    /// Writes the markers that are not written yet, and the end of the transaction; what cannot be written now follows later.
    /// </summary>
    public TransactionMetadata Complete(TransactionMetadata ending)
    {
        bool commit = ending.State == TransactionState.PrepareCommit;
        List<TopicPartition>? open = null;
        foreach (TopicPartition partition in ending.Partitions)
        {
            ErrorCode? error = partition == OffsetsPartition
                ? broker.Groups.CompleteTransaction(ending.ProducerId, ending.ProducerEpoch, commit, coordinatorEpoch: 0)
                : broker.Logs.Get(partition)?.AppendEndTransactionMarker(ending.ProducerId, ending.ProducerEpoch, commit,
                    coordinatorEpoch: 0).Error;
            if (error == ErrorCode.KafkaStorageError)
                (open ??= []).Add(partition);
        }

        TransactionMetadata left = ending with { Partitions = [.. open ?? []] };
        if (open is null)
        {
            try
            {
                TransactionMetadata done = left with { State = commit ? TransactionState.CompleteCommit : TransactionState.CompleteAbort };
                return transactions.Append(done.ClientVersion == TransactionMetadata.BumpingClient && done.IsEpochExhausted
                    ? done.Rotate(broker.NextProducerId())
                    : done);
            }
            catch (Exception fault) when (StorageHealth.IsFault(fault))
            {
                // The markers are written, the end of it is not.
            }
        }

        transactions.Apply(left);
        CompleteLater(left.Id, MarkerRetry);
        return left;
    }

    private void CompleteLater(string id, TimeSpan delay) => timer.Schedule(id, delay, () =>
    {
        if (transactions.Find(id) is { IsEnding: true } ending)
            Complete(ending);
    });
}
