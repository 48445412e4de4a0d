namespace KafkaEventSourcing.Processing;

/// <summary>Aggregates of one partition in memory, in front of its store. Owned by the partition task's thread.</summary>
internal sealed class AggregateCache(StateStore store, AggregateDefinition definition, int limit)
{
    private readonly Dictionary<AggregateId, AggregateEntry> _entries = [];

    /// <summary>The aggregate: remembered, stored, or new.</summary>
    public AggregateEntry Get(AggregateId id)
    {
        if (!_entries.TryGetValue(id, out AggregateEntry? entry))
            _entries.Add(id, entry = store.Load(id) ?? new AggregateEntry(id, definition.InitialState));
        return entry;
    }

    /// <summary>Forgets one aggregate: the store has it anew.</summary>
    public void Forget(AggregateId id) => _entries.Remove(id);

    /// <summary>Forgets when there are too many. Only to be called when everything remembered is stored.</summary>
    public void Trim()
    {
        if (_entries.Count > limit)
            _entries.Clear();
    }
}
