using System.Runtime.CompilerServices;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Folds all events once more, apart from everything that the streams keep, and compares what they have written, each part as far as it
/// says that it has come: streams that are behind are not wrong. No command may come in meanwhile, and nothing may be on its way within the
/// streams. All aggregates' states must fit in memory.
/// </summary>
public sealed class EventStreamsVerifier
{
    private readonly EventStreamsReader _reader;
    private readonly Differences _differences = new();
    private long _events;
    private long _snapshots;
    private long _typed;
    private long _repeats;
    private long _joined;

    /// <summary>Compares what <paramref name="reader"/> reads.</summary>
    public EventStreamsVerifier(EventStreamsReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        _reader = reader;
    }

    /// <summary>Events read so far.</summary>
    public long EventsRead => Interlocked.Read(ref _events);

    /// <summary>Reads, folds and compares. For one call.</summary>
    /// <exception cref="Confluent.Kafka.KafkaException">The cluster does not answer.</exception>
    /// <exception cref="StreamStateException">Snapshots are of another schema than this version's.</exception>
    public async Task<EventStreamsReport> RunAsync(CancellationToken cancellationToken = default)
    {
        EventStreamsDefinition definition = _reader.Definition;
        IReadOnlyList<GroupPosition> positions = await _reader.PositionsAsync(cancellationToken).ConfigureAwait(false);
        bool isAllRead = positions.All(p => p.IsDone);
        bool areStepsDone = positions.All(p => p.IsDone || !definition.Repartitions.Contains(p.Partition.Topic));
        var totals = new List<TotalsComparison>();
        foreach (TotalsPart part in definition.Totals)
            totals.Add(await TotalsComparison.StartAsync(_reader, part, _differences, cancellationToken).ConfigureAwait(false));
        var states = new Dictionary<AggregateDefinition, Dictionary<string, object>>();
        foreach (AggregateDefinition source in definition.Sources)
        {
            states[source] = [];
            string events = _reader.TopicsOf(source).Events;
            foreach (GroupPosition position in positions.Where(p => p.Partition.Topic == events))
            {
                await foreach ((AggregateId id, object state) in Compare(source, position, areStepsDone, totals, cancellationToken)
                    .ConfigureAwait(false))
                    states[source][id.Value] = state;
            }
        }

        totals.ForEach(t => t.Finish());
        if (isAllRead)
        {
            foreach (JoinPart part in definition.Joins)
                await CompareJoin(part, states, cancellationToken).ConfigureAwait(false);
        }

        return new EventStreamsReport
        {
            Snapshots = _snapshots,
            Totals = totals.Sum(t => t.Compared),
            TypedEvents = _typed,
            Joined = _joined,
            Repeats = _repeats,
            PartitionsBehind = positions.Count(p => !p.IsDone),
            DifferenceCount = _differences.Count,
            Differences = _differences.First,
        };
    }

    // The states in the end.
    private async IAsyncEnumerable<(AggregateId Id, object State)> Compare(AggregateDefinition source, GroupPosition position,
        bool areStepsDone, List<TotalsComparison> totals, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        int partition = position.Partition.Partition.Value;
        SnapshotPart? part = _reader.Definition.Snapshots.FirstOrDefault(s => s.Aggregate == source);
        var snapshots = new SnapshotComparison(source, part,
            part is null ? [] : await _reader.SnapshotsAsync(part, partition, cancellationToken).ConfigureAwait(false), _differences);
        var topics = new Dictionary<Type, TypedTopicComparison>();
        try
        {
            foreach ((Type type, string topic) in _reader.Definition.EventTypes.FirstOrDefault(e => e.Aggregate == source)?.TopicOf
                ?? new Dictionary<Type, string>())
                topics[type] = new TypedTopicComparison(_reader, topic, partition, _differences, cancellationToken);
            var history = new HistoryReader(_reader.Kafka, _reader.TopicsOf(source), _reader.Serde, source);
            await foreach (RecordedEvent recorded in history.ReadPartitionAsync(partition, 0, PassOver, cancellationToken)
                .ConfigureAwait(false))
            {
                bool isRead = recorded.Offset < position.Next;
                if (recorded.Part == 0)
                    Interlocked.Increment(ref _events);
                snapshots.Fold(recorded, isRead);
                totals.ForEach(t => t.Add(source, recorded, isRead && areStepsDone));
                if (topics.TryGetValue(recorded.Payload.GetType(), out TypedTopicComparison? topic))
                    await topic.Compare(recorded, isRead).ConfigureAwait(false);
            }

            snapshots.Finish();
            foreach (TypedTopicComparison topic in topics.Values)
            {
                await topic.Finish().ConfigureAwait(false);
                _typed += topic.Compared;
                _repeats += topic.Repeats;
            }
        }
        finally
        {
            foreach (TypedTopicComparison topic in topics.Values)
                await topic.DisposeAsync().ConfigureAwait(false);
        }

        _snapshots += snapshots.Compared;
        foreach ((AggregateId id, object state) in snapshots.States)
            yield return (id, state);

        void PassOver(PassedOverEvent passed)
        {
            Interlocked.Increment(ref _events);
            if (passed.IsEmpty)
                snapshots.PassOver(passed.AggregateId, passed.Version, passed.Offset, passed.Offset < position.Next);
            else if (!passed.IsDiscarded)
                _differences.Add(passed.Message);
            else if (!passed.AggregateId.IsDefault)
                snapshots.Discard(passed.AggregateId, passed.Version, passed.Offset, passed.Offset < position.Next);
        }
    }

    private async Task CompareJoin(JoinPart part, Dictionary<AggregateDefinition, Dictionary<string, object>> states,
        CancellationToken cancellationToken)
    {
        string topic = _reader.Definition.TopicOf(part);
        var results = new Dictionary<string, object>();
        foreach (int partition in _reader.PartitionsOf(topic))
        {
            foreach ((string id, byte[] value) in await _reader.NewestAsync(topic, partition, cancellationToken).ConfigureAwait(false))
                results.Add(id, _reader.Serde.Decode(value));
        }

        foreach ((string id, object left) in states[part.Left])
        {
            object? due = part.ReferenceIn(left) is { } right ? part.Select(left, states[part.Right].GetValueOrDefault(right)) : null;
            results.Remove(id, out object? found);
            if (!Equals(due, found))
                _differences.Add($"The result of '{id}' in {topic} is {found ?? "missing"}; both sides give {due ?? "none"}.");
            else if (due is not null)
                _joined++;
        }

        foreach (string stranger in results.Keys)
            _differences.Add($"The result of '{stranger}' in {topic} is there, and there is no such {part.Left.Name}.");
    }
}
