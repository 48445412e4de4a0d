namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>
/// Which documents (and values of unique indexes) are being changed, and which were changed by commits that an open transaction does not
/// see. They are told apart by 64 bits of hash with a seed of the process: two that share them are a conflict too many, which is tried
/// again, never one too few. Thread-safe.
/// </summary>
internal sealed class ConflictTable
{
    private const int MinChanged = 100_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, StoreTransaction> _owners = [];
    private readonly Dictionary<ulong, long> _changed = [];
    private readonly List<long> _seen = []; // the commits that each open transaction sees
    private int _sweepAbove = MinChanged;

    public static ulong HashOf(ReadOnlySpan<byte> documentKey)
    {
        var low = new HashCode();
        low.AddBytes(documentKey);
        var high = new HashCode();
        high.Add(documentKey.Length);
        high.AddBytes(documentKey);
        return ((ulong)(uint)high.ToHashCode() << 32) | (uint)low.ToHashCode();
    }

    /// <summary>A transaction starts that sees the first <paramref name="commits"/> commits.</summary>
    public void Start(long commits)
    {
        lock (_lock)
            _seen.Add(commits);
    }

    /// <summary>A transaction ends that saw the first <paramref name="commits"/> commits.</summary>
    public void End(long commits)
    {
        lock (_lock)
        {
            _seen.Remove(commits);
            if (_seen.Count == 0)
                _changed.Clear();
            else if (_changed.Count > _sweepAbove)
                Sweep(_seen.Min());
        }
    }

    /// <summary>
    /// Makes <paramref name="transaction"/> the one that changes a document; false: <paramref name="other"/> changes it, or, where that is
    /// null, a commit that it does not see has.
    /// </summary>
    public bool TryOwn(ulong document, StoreTransaction transaction, long seen, out bool isNew, out StoreTransaction? other)
    {
        lock (_lock)
        {
            other = null;
            isNew = false;
            if (_owners.TryGetValue(document, out StoreTransaction? owner))
            {
                other = owner == transaction ? null : owner;
                return owner == transaction;
            }

            if (_changed.TryGetValue(document, out long changed) && changed > seen)
                return false;
            _owners.Add(document, transaction);
            isNew = true;
            return true;
        }
    }

    public void Release(List<ulong> documents)
    {
        lock (_lock)
        {
            foreach (ulong document in documents)
                _owners.Remove(document);
        }
    }

    /// <summary>
    /// Remembers what commit number <paramref name="commit"/> has changed, while a transaction is open that does not see it.
    /// </summary>
    public void Committed(List<ulong> documents, long commit, bool ofTransaction)
    {
        lock (_lock)
        {
            if (_seen.Count == (ofTransaction ? 1 : 0))
                return;
            foreach (ulong document in documents)
                _changed[document] = commit;
        }
    }

    // What every open transaction sees is not a conflict any more.
    private void Sweep(long seenByAll)
    {
        foreach ((ulong document, long changed) in _changed)
        {
            if (changed <= seenByAll)
                _changed.Remove(document);
        }

        _sweepAbove = Math.Max(MinChanged, 2 * _changed.Count);
    }
}
