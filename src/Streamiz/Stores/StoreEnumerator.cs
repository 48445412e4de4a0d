using System.Collections;
using Streamiz.Kafka.Net.State.Enumerator;

namespace KafkaEventSourcing.Streamiz;

/// <summary>Entries as Streamiz enumerates them: it is disposed, or holds the database open.</summary>
internal sealed class StoreEnumerator<TKey, TValue>(IEnumerable<KeyValuePair<TKey, TValue>> entries) : IKeyValueEnumerator<TKey, TValue>
{
    private readonly IEnumerator<KeyValuePair<TKey, TValue>> _entries = entries.GetEnumerator();
    private KeyValuePair<TKey, TValue>? _peeked;
    private bool _hasCurrent;

    /// <inheritdoc/>
    public KeyValuePair<TKey, TValue>? Current { get; private set; }

    object? IEnumerator.Current => Current;

    /// <inheritdoc/>
    public bool MoveNext()
    {
        if (_peeked is { } peeked)
        {
            (Current, _peeked, _hasCurrent) = (peeked, null, true);
            return true;
        }

        _hasCurrent = _entries.MoveNext();
        Current = _hasCurrent ? _entries.Current : null;
        return _hasCurrent;
    }

    /// <summary>The key of the next entry.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public TKey PeekNextKey()
    {
        if (_peeked is null && _entries.MoveNext())
            _peeked = _entries.Current;
        return _peeked is { } peeked ? peeked.Key : throw new InvalidOperationException("There is no further entry.");
    }

    /// <inheritdoc/>
    public void Reset() => throw new NotSupportedException("Entries are read once.");

    /// <inheritdoc/>
    public void Dispose() => _entries.Dispose();
}
