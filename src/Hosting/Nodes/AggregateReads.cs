using KafkaEventSourcing.Processing;

namespace KafkaEventSourcing.Hosting.Nodes;

/// <summary>Reads of aggregates, wherever their owner is: from this node's state, or from the owner's by HTTP. Thread-safe.</summary>
public sealed class AggregateReads : IAggregateReader
{
    private readonly CommandProcessor _processor;
    private readonly OwnerDirectory _owners;
    private readonly NodeClient _nodes;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;

    internal AggregateReads(CommandProcessor processor, OwnerDirectory owners, NodeClient nodes, TimeSpan timeout, TimeProvider time) =>
        (_processor, _owners, _nodes, _timeout, _time) = (processor, owners, nodes, timeout, time);

    /// <summary>A strong read.</summary>
    /// <inheritdoc/>
    public ValueTask<AggregateView?> ReadAsync(AggregateId aggregateId, CancellationToken cancellationToken = default) =>
        ReadAsync(aggregateId, ReadConsistency.Strong, cancellationToken);

    /// <summary>Reads one aggregate; null when it has no events. While its partition moves, it waits for the new owner.</summary>
    /// <exception cref="AggregateUnavailableException">No owner answered within the read time-out.</exception>
    public ValueTask<AggregateView?> ReadAsync(AggregateId aggregateId, ReadConsistency consistency,
        CancellationToken cancellationToken = default) => Find(
        aggregateId,
        partition => _processor.CanRead(partition, consistency),
        stop => _processor.ReadAsync(aggregateId, consistency, stop),
        (owner, stop) => _nodes.Read(owner, aggregateId, consistency, stop),
        cancellationToken);

    /// <summary>
    /// Reads one aggregate with at least the write of <paramref name="atLeast"/>; null when it has no events. A warm copy on this node that
    /// has come as far answers, else the owner. No transaction is made for it.
    /// </summary>
    /// <exception cref="AggregateUnavailableException">Nobody had come as far within the read time-out.</exception>
    /// <exception cref="InvalidInputException">The token is default, or of another partition than the aggregate.</exception>
    public ValueTask<AggregateView?> ReadAsync(AggregateId aggregateId, ConsistencyToken atLeast,
        CancellationToken cancellationToken = default) => atLeast.IsDefault
        ? throw new InvalidInputException("token", "The consistency token is default: no position was given.")
        : Find(
            aggregateId,
            partition => partition != atLeast.Partition || _processor.CanRead(atLeast),
            _ => ValueTask.FromResult(_processor.Read(aggregateId, atLeast)),
            (owner, stop) => _nodes.Read(owner, aggregateId, atLeast, stop),
            cancellationToken);

    /// <summary>
    /// A page of the events of one aggregate, from its owner; null when it has none. While its partition moves, it waits for the new owner.
    /// </summary>
    /// <exception cref="AggregateUnavailableException">No owner answered within the read time-out.</exception>
    /// <exception cref="HistoryGoneException">The log does not have the events any more.</exception>
    /// <exception cref="InvalidDataException">An event cannot be read.</exception>
    /// <exception cref="InvalidInputException">The query is out of range.</exception>
    public async ValueTask<HistoryPage?> ReadHistoryAsync(AggregateId aggregateId, HistoryQuery query,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(query);
        query.Validate();
        StoredHistory? stored = await Find<StoredHistory?>(
            aggregateId,
            partition => _processor.StatusOf(partition) == PartitionStatus.Serving,
            stop => _processor.ReadStoredHistoryAsync(aggregateId, query, stop),
            (owner, stop) => _nodes.ReadHistory(owner, aggregateId, query, stop),
            cancellationToken).ConfigureAwait(false);
        return stored is null ? null : _processor.Histories.Read(aggregateId, _processor.PartitionOf(aggregateId), stored);
    }

    /// <summary>The same of a partition of this node, as another node is sent it.</summary>
    internal async ValueTask<byte[]?> ReadOwnHistoryAsync(
        AggregateId aggregateId, HistoryQuery query, CancellationToken cancellationToken) =>
        await _processor.ReadStoredHistoryAsync(aggregateId, query, cancellationToken).ConfigureAwait(false) is { } stored
            ? HistoryCodec.Encode(stored)
            : null;

    private async ValueTask<T> Find<T>(
        AggregateId aggregateId, Func<int, bool> canRead, Func<CancellationToken, ValueTask<T>> here,
        Func<PartitionOwnership, CancellationToken, Task<NodeResponse<T>>> there,
        CancellationToken cancellationToken)
    {
        int partition = _processor.PartitionOf(aggregateId);
        var resolver = new OwnerResolver(_owners, _processor.NodeId, partition, _timeout, _time);
        while (true)
        {
            if (canRead(partition))
            {
                try
                {
                    using var late = new CancellationTokenSource(resolver.Left, _time);
                    using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
                    return await here(stop.Token).ConfigureAwait(false);
                }
                catch (AggregateUnavailableException left)
                {
                    resolver.Note(left.Message); // a copy may refuse what the owner can tell
                }
                catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
                {
                    resolver.Note($"Partition {partition} did not answer in time.");
                }
            }

            // Its owner is this node, and it stays halted until somebody acts: to wait, or to look for another, would only hide why.
            if (_processor.StatusOf(partition) == PartitionStatus.Halted
                && _processor.HaltedPartitions.TryGetValue(partition, out string? halted))
                throw new AggregateUnavailableException(partition, $"Partition {partition} is halted: {halted}");
            if (resolver.Owner is { } owner)
            {
                if (await resolver.Ask(owner, stop =>
                    there(owner, stop), cancellationToken).ConfigureAwait(false)
                    is NodeResponse<T>.Answered { Value: var view })
                    return view;
                if (resolver.HasNews)
                    continue;
            }

            if (!await resolver.Wait(cancellationToken).ConfigureAwait(false))
                throw new AggregateUnavailableException(partition, resolver.Reason);
        }
    }
}
