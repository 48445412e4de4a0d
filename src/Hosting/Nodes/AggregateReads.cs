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
    public ValueTask<AggregateView?> Read(AggregateId aggregateId, CancellationToken cancellationToken) => Read(aggregateId, ReadConsistency.Strong, cancellationToken);

    /// <summary>Reads one aggregate; null when it has no events. While its partition moves, it waits for the new owner.</summary>
    /// <exception cref="AggregateUnavailableException">No owner answered within the read time-out.</exception>
    public async ValueTask<AggregateView?> Read(AggregateId aggregateId, ReadConsistency consistency, CancellationToken cancellationToken)
    {
        int partition = _processor.PartitionOf(aggregateId);
        var search = new OwnerSearch(_owners, _processor.NodeId, partition, _timeout, _time);
        while (true)
        {
            if (_processor.CanRead(partition, consistency))
            {
                try
                {
                    using var late = new CancellationTokenSource(search.Left, _time);
                    using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
                    return await _processor.Read(aggregateId, consistency, stop.Token).ConfigureAwait(false);
                }
                catch (AggregateUnavailableException left)
                {
                    search.Note(left.Message);
                }
                catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
                {
                    search.Note($"Partition {partition} did not answer in time.");
                }
            }
            else if (search.Owner is { } owner)
            {
                if (await search.Ask(owner, stop => _nodes.Read(owner, aggregateId, consistency, stop), cancellationToken).ConfigureAwait(false) is NodeAnswer<AggregateView?>.Answered { Value: var view })
                    return view;
                if (search.HasNews)
                    continue;
            }

            if (!await search.Wait(cancellationToken).ConfigureAwait(false))
                throw new AggregateUnavailableException(partition, search.Reason);
        }
    }
}
