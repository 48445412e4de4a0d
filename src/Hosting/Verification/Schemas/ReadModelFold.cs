using System.Globalization;
using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Projections.MongoDB;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Hosting.Verification;

/// <summary>One read model, folded apart from what is stored, and compared with it. Not thread-safe.</summary>
internal sealed class ReadModelFold
{
    private readonly ApplicationDefinition _application;
    private readonly ProjectionDefinition _projection;
    private readonly MongoProjectionStore _stored;
    private readonly IReadOnlyDictionary<string, IReadOnlyList<string>> _shared;
    private readonly ReadModelComparison _comparison;
    private Dictionary<EventPartition, long?> _begun = [];

    public ReadModelFold(ApplicationDefinition application, ProjectionDefinition projection, MongoProjectionStore stored)
    {
        (_application, _projection, _stored, _shared) = (application, projection, stored, application.SharedReadModels());
        _comparison = new ReadModelComparison(stored, _shared);
    }

    /// <summary>Notes how far the read model is before anything is read.</summary>
    public async Task BeginAsync(IEnumerable<(AggregateDefinition Aggregate, int[] Partitions)> logs, CancellationToken cancellationToken)
    {
        _begun = [];
        foreach ((AggregateDefinition aggregate, int[] partitions) in logs.Where(l => Reads(l.Aggregate)))
        {
            foreach (int partition in partitions)
                _begun.Add(PlaceOf(aggregate, partition), null);
        }

        _begun = await Checkpoints(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>What folds the events of <paramref name="aggregate"/> into it; null: it does not read them.</summary>
    public ProjectionEngine? EngineOf(AggregateDefinition aggregate) => Reads(aggregate)
        ? new ProjectionEngine([_projection], _comparison, new ProjectionEngineOptions(), NullLogger<ProjectionEngine>.Instance,
            feed: new ProjectionFeed(aggregate.Name, _shared, new Dictionary<string, EventLog.IEventLogExtents>()))
        : null;

    /// <summary>Compares, unless the read model is not as far as the events that were read, or has moved on meanwhile.</summary>
    public async Task<ReadModelCheck> FinishAsync(IReadOnlyDictionary<AggregateDefinition, Dictionary<int, long>> read,
        CancellationToken cancellationToken)
    {
        foreach ((AggregateDefinition aggregate, Dictionary<int, long> last) in read.Where(r => Reads(r.Key)))
        {
            foreach ((int partition, long offset) in last)
            {
                if (_begun.GetValueOrDefault(PlaceOf(aggregate, partition)) is not { } next || next <= offset)
                    return NotCompared(string.Create(CultureInfo.InvariantCulture,
                        $"it does not have the events of {aggregate.Name} up to {partition}@{offset} yet"));
            }
        }

        await _comparison.FinishAsync([_projection], cancellationToken).ConfigureAwait(false);
        Dictionary<EventPartition, long?> now = await Checkpoints(cancellationToken).ConfigureAwait(false);
        return now.Any(c => c.Value != _begun[c.Key])
            ? NotCompared("it got events meanwhile; its documents can be compared while its nodes rest")
            : new ReadModelCheck(_projection.Name, _comparison.Compared, _comparison.DifferenceCount,
                [.. _comparison.Differences.Take(AggregateCheck.MaxTold)], null);
    }

    private ReadModelCheck NotCompared(string why) => new(_projection.Name, 0, 0, [], why);

    private bool Reads(AggregateDefinition aggregate) => _application.AggregatesOf(_projection).Contains(aggregate);

    private EventPartition PlaceOf(AggregateDefinition aggregate, int partition) =>
        new(_shared.ContainsKey(_projection.Name) ? aggregate.Name : null, partition);

    private async Task<Dictionary<EventPartition, long?>> Checkpoints(CancellationToken cancellationToken)
    {
        var found = new Dictionary<EventPartition, long?>();
        foreach (EventPartition partition in _begun.Keys)
            found.Add(partition, (await _stored.LoadCheckpointAsync(_projection, partition, cancellationToken).ConfigureAwait(false))
                ?.NextOffset);
        return found;
    }
}
