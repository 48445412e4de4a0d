using System.Runtime.InteropServices;

namespace KafkaEventSourcing.Projections;

/// <summary>
/// What a fold remembers of documents, and of keys that have none; bounded by bytes, as a document may have a hundred bytes or a million.
/// It has two generations: what is asked for is in the young one, and when that has half of the bytes it becomes the old one, whose
/// documents are forgotten with the next change unless they are asked for again. Not thread-safe.
/// </summary>
internal sealed class DocumentCache<TDocument>(long maxBytes)
    where TDocument : class
{
    // a document grows by what one event brings; to measure it costs more than to fold the event
    private const int ChangesBetweenMeasures = 16;

    private record struct Entry(StoredDocument<TDocument> Stored, long Bytes, int Changes);

    private Dictionary<string, Entry> _young = [];
    private Dictionary<string, Entry> _old = [];
    private long _youngBytes;

    /// <summary>How many keys it knows.</summary>
    public int Count => _young.Count + _old.Count;

    /// <summary>Whether the key is known; <paramref name="stored"/> is <c>default</c> when it has no document.</summary>
    public bool TryGet(string key, out StoredDocument<TDocument> stored)
    {
        if (!_young.TryGetValue(key, out Entry entry))
        {
            if (!_old.Remove(key, out entry))
            {
                stored = default;
                return false;
            }

            Add(key, entry);
        }

        stored = entry.Stored;
        return true;
    }

    /// <summary>Remembers the document of a key, or that it has none, after so many changes of it.</summary>
    public void Set(string key, StoredDocument<TDocument> stored, int changes)
    {
        ref Entry entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_young, key, out bool isYoung);
        if (!isYoung && _old.Remove(key, out Entry old))
            (entry, _youngBytes) = (old, _youngBytes + old.Bytes);
        bool measured = (entry.Stored.Document is null) == (stored.Document is null)
            && (entry.Changes += changes) < ChangesBetweenMeasures
            && entry.Bytes > 0;
        entry.Stored = stored;
        if (measured)
            return;
        long bytes = ObjectSize.Of(key) + ObjectSize.Of(stored.Document);
        _youngBytes += bytes - entry.Bytes;
        (entry.Bytes, entry.Changes) = (bytes, 0);
    }

    /// <summary>Forgets when there is too much; between batches, as a batch needs all that it has asked for.</summary>
    public void Trim()
    {
        if (_youngBytes <= maxBytes / 2)
            return;
        (_young, _old) = (_old, _young);
        _young.Clear();
        _youngBytes = 0;
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        _young.Clear();
        _old.Clear();
        _youngBytes = 0;
    }

    private void Add(string key, Entry entry)
    {
        _young.Add(key, entry);
        _youngBytes += entry.Bytes;
    }
}
