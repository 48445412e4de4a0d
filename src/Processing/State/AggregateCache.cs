namespace KafkaEventSourcing.Processing;

/// <summary>
/// Aggregates of one partition in memory, in front of its store; bounded by bytes, as a state may have a hundred bytes or a million. It has
/// two generations: what is asked for is in the young one, and when that has half of the bytes it becomes the old one, whose aggregates are
/// forgotten with the next change unless they are asked for again. Owned by the partition task's thread.
/// </summary>
internal sealed class AggregateCache(StateStore store, AggregateDefinition definition, Func<long> maxBytes)
{
    private readonly List<AggregateEntry> _asked = []; // since the last Trim
    private Dictionary<AggregateId, AggregateEntry> _young = [];
    private Dictionary<AggregateId, AggregateEntry> _old = [];
    private long _youngBytes;
    private long _erasures = store.Protection?.Erasures ?? 0;

    /// <summary>A cache of so many bytes.</summary>
    public AggregateCache(StateStore store, AggregateDefinition definition, long maxBytes)
        : this(store, definition, () => maxBytes)
    {
    }

    /// <summary>How many aggregates it has.</summary>
    public int Count => _young.Count + _old.Count;

    /// <summary>The aggregate: remembered, stored, or new.</summary>
    public AggregateEntry Get(AggregateId id)
    {
        if (!_young.TryGetValue(id, out AggregateEntry? entry))
        {
            if (!_old.Remove(id, out entry))
                entry = store.Load(id) ?? new AggregateEntry(id, definition.InitialState);
            entry.CountedBytes = 0;
            _young.Add(id, entry);
        }

        _asked.Add(entry);
        return entry;
    }

    /// <summary>Forgets one aggregate: the store has it anew.</summary>
    public void Forget(AggregateId id)
    {
        if (_young.Remove(id, out AggregateEntry? entry))
        {
            _youngBytes -= entry.CountedBytes;
            _asked.Remove(entry);
        }

        _old.Remove(id);
    }

    /// <summary>
    /// Forgets all when somebody was erased since the last call: states may have what was opened before. Only to be called when everything
    /// remembered is stored.
    /// </summary>
    public void ForgetErased()
    {
        if (store.Protection is not { Erasures: var erasures } || erasures == _erasures)
            return;
        _erasures = erasures;
        _asked.Clear();
        _young.Clear();
        _old.Clear();
        _youngBytes = 0;
    }

    /// <summary>Forgets when there is too much. Only to be called when everything remembered is stored.</summary>
    public void Trim()
    {
        ForgetErased();
        foreach (AggregateEntry entry in _asked)
        {
            _youngBytes += entry.Bytes - entry.CountedBytes;
            entry.CountedBytes = entry.Bytes;
        }

        _asked.Clear();
        if (_youngBytes <= maxBytes() / 2)
            return;
        (_young, _old) = (_old, _young);
        _young.Clear();
        _youngBytes = 0;
    }
}
