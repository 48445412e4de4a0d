using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// The reads of a partition by its owner: strong ones wait for a commit that begins after they came, which proves that this node is the
/// owner still. Thread-safe.
/// </summary>
internal sealed class OwnerReads(PartitionTask task, AggregateDefinition definition, TopicFamily topics, CommandQueue queue)
{
    private ParkedAggregates? _parked;
    private StoreReads? _reads;
    private PartitionHistory? _history;

    /// <summary>What reads wait for.</summary>
    public ReadFence Fence { get; } = new(task.Partition);

    /// <summary>Who waits until states of those who were erased are forgotten.</summary>
    public ErasureRequests Erasures { get; } = new();

    /// <summary>Completes once the task remembers no state that was opened before the call, or has ended.</summary>
    public Task ForgetErasedAsync()
    {
        if (task.Status != PartitionStatus.Serving)
            return Task.CompletedTask; // what it restores it forgets before it serves
        Task forgotten = Erasures.Add();
        queue.Nudge();
        return Task.WhenAny(forgotten, task.Completion);
    }

    /// <summary>From now on, reads are those of a state.</summary>
    public void Open(StoreReads reads, ParkedAggregates parked, PartitionHistory history) =>
        (_reads, _parked, _history) = (reads, parked, history);

    /// <summary>
    /// A page of the events of an aggregate; null when it has none. Of one that is parked, they end before the event that cannot be folded.
    /// </summary>
    /// <exception cref="AggregateUnavailableException">The partition does not serve here (any more).</exception>
    public async ValueTask<StoredHistory?> ReadHistory(AggregateId id, HistoryQuery query, CancellationToken cancellationToken)
    {
        query.Validate();
        await Enter(query.Consistency, cancellationToken).ConfigureAwait(false);
        return await _history!.Read(id, query, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Refuses the reads that wait and those to come.</summary>
    public void Close()
    {
        Fence.Close();
        _history?.Dispose();
    }

    /// <summary>A read of an aggregate; null when it has no events.</summary>
    /// <exception cref="AggregateUnavailableException">The partition does not serve here (any more).</exception>
    /// <exception cref="AggregateParkedException">An event of the aggregate cannot be folded.</exception>
    public async ValueTask<AggregateView?> Read(AggregateId id, ReadConsistency consistency, CancellationToken cancellationToken)
    {
        await Enter(consistency, cancellationToken).ConfigureAwait(false);
        return Read(id);
    }

    /// <summary>A read of what the store has, for callers that know how far it must have come.</summary>
    public AggregateView? Read(AggregateId id)
    {
        if (_parked!.TryGet(id, out ParkedAggregate? parked) && parked.BrokenAt >= 0)
        {
            throw new AggregateParkedException(id, parked.Cause,
                $"The state of the {definition.Name} '{id}' is not known: {parked.Message} An operator sees it with 'kes dead-letters "
                    + $"list {topics.Application}.{topics.Aggregate}'.", isQueued: false);
        }

        return _reads!.Read(id);
    }

    /// <summary>All aggregates of the partition.</summary>
    public async ValueTask<IEnumerable<AggregateView>> ReadAll(CancellationToken cancellationToken)
    {
        await Enter(ReadConsistency.Strong, cancellationToken).ConfigureAwait(false);
        return _reads!.ReadAll();
    }

    private async ValueTask Enter(ReadConsistency consistency, CancellationToken cancellationToken)
    {
        int partition = task.Partition;
        if (task.Status == PartitionStatus.Halted)
            throw new AggregateUnavailableException(partition, $"Partition {partition} is halted: {task.HaltReason}");
        if (task.Status != PartitionStatus.Serving)
            throw new AggregateUnavailableException(partition,
                $"Partition {partition} is {task.Status.ToString().ToLowerInvariant()} on this node; try again.");
        if (consistency != ReadConsistency.Strong)
            return;
        Task proof = Fence.Next(out bool first);
        if (first)
            queue.Nudge();
        await proof.WaitAsync(cancellationToken).ConfigureAwait(false);
    }
}
