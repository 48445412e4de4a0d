namespace KafkaEventSourcing.Hosting.Hosts;

/// <summary>Sends by the node of this host as soon as it serves. Thread-safe.</summary>
internal sealed class HostedCommandClient(NodeLifecycle lifecycle) : ICommandClient
{
    /// <inheritdoc/>
    public async Task<CommandResult> SendAsync(CommandEnvelope command, CancellationToken cancellationToken) =>
        await lifecycle.Node.SendAsync(command, cancellationToken).ConfigureAwait(false);

    /// <summary>The same to one aggregate type, whose commands another one may decide too.</summary>
    public ICommandClient To(AggregateDefinition aggregate) => new OfAggregate(lifecycle, aggregate);

    private sealed class OfAggregate(NodeLifecycle lifecycle, AggregateDefinition aggregate) : ICommandClient
    {
        public async Task<CommandResult> SendAsync(CommandEnvelope command, CancellationToken cancellationToken) =>
            await lifecycle.PartOf(aggregate).Commands.SendAsync(command, cancellationToken).ConfigureAwait(false);
    }
}

/// <summary>Reads aggregates of one type by the node of this host as soon as it serves. Thread-safe.</summary>
internal sealed class HostedAggregateReader(NodeLifecycle lifecycle, AggregateDefinition aggregate) : IAggregateReader
{
    /// <inheritdoc/>
    public async ValueTask<AggregateView?> ReadAsync(AggregateId aggregateId, CancellationToken cancellationToken) =>
        await lifecycle.PartOf(aggregate).Reads.ReadAsync(aggregateId, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<AggregateView?> ReadAsync(
        AggregateId aggregateId, ReadConsistency consistency, CancellationToken cancellationToken) =>
        await lifecycle.PartOf(aggregate).Reads.ReadAsync(aggregateId, consistency, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<AggregateView?> ReadAsync(
        AggregateId aggregateId, ConsistencyToken atLeast, CancellationToken cancellationToken) =>
        await lifecycle.PartOf(aggregate).Reads.ReadAsync(aggregateId, atLeast, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<HistoryPage?> ReadHistoryAsync(
        AggregateId aggregateId, HistoryQuery query, CancellationToken cancellationToken) =>
        await lifecycle.PartOf(aggregate).Reads.ReadHistoryAsync(aggregateId, query, cancellationToken).ConfigureAwait(false);
}
