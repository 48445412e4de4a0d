namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// Follows transactions through a cleaning, batch by batch in offset order: which were aborted, and whether a marker still has records to
/// mark.
/// </summary>
internal sealed class CleanedTransactions
{
    private readonly PriorityQueue<AbortedTransaction, long> _expected = new();
    private readonly Dictionary<long, (AbortedTransaction Transaction, bool HasBatch)> _aborting = [];
    private readonly HashSet<long> _committing = [];

    /// <summary>Transactions of the coming batches that were aborted.</summary>
    public void Expect(IEnumerable<AbortedTransaction> aborted)
    {
        foreach (AbortedTransaction transaction in aborted)
            _expected.Enqueue(transaction, transaction.FirstOffset);
    }

    /// <summary>Whether the records of a batch belong to an aborted transaction.</summary>
    public bool SeesBatch(in RecordBatch batch)
    {
        StartUpTo(batch.LastOffset);
        if (!batch.IsTransactional)
            return false;
        if (!_aborting.TryGetValue(batch.ProducerId, out (AbortedTransaction Transaction, bool HasBatch) aborting))
        {
            _committing.Add(batch.ProducerId);
            return false;
        }

        _aborting[batch.ProducerId] = (aborting.Transaction, true);
        return true;
    }

    /// <summary>
    /// Whether a marker has nothing left to mark. One of an abort that still has is put into the index of <paramref name="cleaned"/>.
    /// </summary>
    public bool SeesMarker(in RecordBatch marker, LogSegment? cleaned)
    {
        StartUpTo(marker.LastOffset);
        switch (marker.Commits)
        {
            case null:
                return true; // it was emptied before
            case true:
                return !_committing.Remove(marker.ProducerId);
            default:
                if (!_aborting.Remove(marker.ProducerId, out (AbortedTransaction Transaction, bool HasBatch) aborting)
                    || !aborting.HasBatch)
                    return true;
                cleaned?.AppendAborted(aborting.Transaction);
                return false;
        }
    }

    private void StartUpTo(long offset)
    {
        while (_expected.TryPeek(out AbortedTransaction next, out long first) && first <= offset)
        {
            _expected.Dequeue();
            _aborting.TryAdd(next.ProducerId, (next, false));
        }
    }
}
