using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Histories of the aggregates of one partition, by its owner: from the store, and from the log what the store does not have. Thread-safe.
/// </summary>
internal sealed class PartitionHistory(PartitionContext context, int partition, StoreReads reads, ParkedAggregates parked,
    int maxPageBytes = PartitionHistory.MaxPageBytes) : IDisposable
{
    /// <summary>The most bytes of values in a page of more than one event.</summary>
    public const int MaxPageBytes = 4 * 1024 * 1024;

    // The most events of a page that are fetched from the log, each of which may be large.
    private const int MaxFetched = 64;

    private readonly TopicPartition _events = new(context.Topics.Events, partition);
    private readonly EventCodec _codec = new(context.Serde, context.Definition, context.Partitions);
    private readonly SemaphoreSlim _scans = new(1); // a scan reads a whole partition: one at a time is enough
    private PartitionLogReader? _idle; // of the last page, for the next
    private volatile bool _isClosed;

    /// <summary>A page of the events of an aggregate; null when it has none.</summary>
    /// <exception cref="AggregateUnavailableException">The store is closed.</exception>
    /// <exception cref="HistoryGoneException">The log does not have the events any more.</exception>
    public ValueTask<StoredHistory?> Read(AggregateId id, HistoryQuery query, CancellationToken cancellationToken)
    {
        query.Validate();
        if (reads.ReadEvents(id, query) is not { } read)
            return ValueTask.FromResult<StoredHistory?>(null);
        return read.IsWhole
            ? ValueTask.FromResult<StoredHistory?>(PageOf(id, query, read, static stored => stored))
            : new ValueTask<StoredHistory?>(Complete(id, query, read, cancellationToken));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _isClosed = true;
        Interlocked.Exchange(ref _idle, null)?.Dispose();
    }

    // Reading the log blocks.
    private async Task<StoredHistory?> Complete(AggregateId id, HistoryQuery query, IndexedHistory read,
        CancellationToken cancellationToken)
    {
        (long first, long last) = read.Range;
        HashSet<long> known = [.. read.Events.Select(e => e.Version)];
        long[] missing = [.. Versions(first, last).Where(v => !known.Contains(v))];
        List<IndexedEvent> events = [.. read.Events];
        if (missing.Length > 0)
        {
            await _scans.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                events.AddRange(await Task.Run(() => Scan(id, read.Gap, missing, cancellationToken), cancellationToken)
                    .ConfigureAwait(false));
            }
            finally
            {
                _scans.Release();
            }

            events.Sort(static (one, other) => one.Version.CompareTo(other.Version));
        }

        long[] places = [.. InOrder(events, query).Where(e => e.Event.IsEmpty).Select(e => e.Offset).Take(MaxFetched)];
        IReadOnlyDictionary<long, ConsumeResult<byte[], byte[]>> records =
            await Task.Run(() => Fetch(places, cancellationToken), cancellationToken).ConfigureAwait(false);
        return PageOf(id, query, read with { Events = events }, stored => !stored.Event.IsEmpty ? stored
            : records.TryGetValue(stored.Offset, out ConsumeResult<byte[], byte[]>? record) ? Packed(stored, record)
            : null);
    }

    private static IEnumerable<IndexedEvent> InOrder(IReadOnlyList<IndexedEvent> events, HistoryQuery query) =>
        query.IsDescending ? events.Reverse() : events;

    private static IEnumerable<long> Versions(long first, long last)
    {
        for (long version = first; version <= last; version++)
            yield return version;
    }

    // The page ends with what is much: what comes then is the next one's.
    private StoredHistory PageOf(AggregateId id, HistoryQuery query, IndexedHistory read, Func<IndexedEvent, IndexedEvent?> whole)
    {
        var page = new List<StoredHistoryEvent>();
        long bytes = 0;
        long? next = read.Next;
        foreach (IndexedEvent stored in InOrder(read.Events, query))
        {
            if (whole(stored) is not { } indexed || (page.Count > 0 && bytes + indexed.Event.Length > maxPageBytes))
            {
                next = stored.Version;
                break;
            }

            bytes += indexed.Event.Length;
            (EventHead head, byte[] value) = indexed.Unpack(id);
            page.Add(new StoredHistoryEvent(head, indexed.Offset, value, parked.IsPassedOver(indexed.Offset)));
        }

        return new StoredHistory(read.Version, read.LastOffset, page, next);
    }

    private List<IndexedEvent> Scan(AggregateId id, IndexGap gap, long[] missing, CancellationToken cancellationToken)
    {
        byte[] key = Encoding.UTF8.GetBytes(id.Value);
        var found = new List<IndexedEvent>();
        int due = -1; // of the missing; not known before the first of them that is there
        if (!gap.IsEmpty)
        {
            foreach (ConsumeResult<byte[], byte[]> record in PartitionLogReader.ReadKey(context.Connection, "history", _events, key,
                gap.From, gap.To, cancellationToken))
            {
                if (due == missing.Length)
                    break;
                // Versions come in order, each once: what comes again is none of the aggregate's.
                if (!_codec.TryReadHead(record, out EventHead head)
                    || Array.BinarySearch(missing, head.Version) is not (>= 0 and var at)
                    || (due >= 0 && at != due))
                    continue;
                found.Add(Packed(new IndexedEvent(head.Version, record.Offset.Value, default), record));
                due = at + 1;
            }
        }

        if (found.Count == missing.Length)
            return found;
        long[] gone = [.. missing.Except(found.Select(e => e.Version))];
        throw new HistoryGoneException(id, gone[0], gone[^1],
            $"The topic {_events.Topic} does not have the versions {gone[0]} to {gone[^1]} of the {context.Definition.Name} "
                + $"'{id}' (any more).");
    }

    private Dictionary<long, ConsumeResult<byte[], byte[]>> Fetch(long[] offsets, CancellationToken cancellationToken)
    {
        if (offsets.Length == 0)
            return [];
        PartitionLogReader reader = Interlocked.Exchange(ref _idle, null)
            ?? PartitionLogReader.AtPlaces(context.Connection, $"{context.Topics.Application}-history");
        try
        {
            Array.Sort(offsets);
            return reader.ReadAt(_events, offsets, cancellationToken).ToDictionary(r => r.Offset.Value);
        }
        finally
        {
            Interlocked.Exchange(ref _idle, reader)?.Dispose();
            if (_isClosed)
                Interlocked.Exchange(ref _idle, null)?.Dispose();
        }
    }

    // As if the store had kept it, however large it is.
    private IndexedEvent Packed(IndexedEvent place, ConsumeResult<byte[], byte[]> record)
    {
        EventHead head = _codec.ReadHead(record);
        var packed = new System.Buffers.ArrayBufferWriter<byte>(256 + (record.Message.Value?.Length ?? 0));
        IndexedEvent.Write(packed, place.Offset, head.Time, head.CommandId.Value, head.CorrelationId, record.Message.Value);
        return IndexedEvent.Read(place.Version, packed.WrittenSpan.ToArray());
    }
}
