using System.Buffers;
using System.Text;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using RocksDbSharp;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// The events of a store's aggregates by aggregate and version, so that the history of one is read in time proportional to its own events:
/// the log has them by partition alone, and gives one range at a request. Thread-safe.
/// </summary>
/// <param name="database">The database of the store.</param>
/// <param name="keepsEvents">Whether events are kept, or their places in the log alone.</param>
internal sealed class EventIndex(RocksDb database, bool keepsEvents)
{
    /// <summary>The largest value that is kept here; of larger ones the place is, and they are read from the log.</summary>
    public const int MaxKeptBytes = 4 * 1024;

    private volatile IndexGap _gap = IndexGap.None;

    /// <summary>What lacks.</summary>
    public IndexGap Gap => _gap;

    /// <summary>How an event is written, into <paramref name="buffer"/>, whose content is replaced.</summary>
    public ReadOnlySpan<byte> Encode(PooledBuffer buffer, in EventHead head, long offset, ReadOnlySpan<byte> value)
    {
        buffer.Clear();
        if (!keepsEvents || value.Length > MaxKeptBytes)
            IndexedEvent.Write(buffer, offset);
        else
            IndexedEvent.Write(buffer, offset, head.Time, head.CommandId.Value, head.CorrelationId, value);
        return buffer.WrittenSpan;
    }

    /// <summary>Begins with what a store with the checkpoint <paramref name="checkpoint"/> has.</summary>
    public void Open(long checkpoint, WriteOptions write)
    {
        if (IndexGap.Read(database.Get(StoreKeys.Gap)) is { } known)
        {
            _gap = known;
            return;
        }

        // A store that does not say was filled by a version that kept places, and none of what came from snapshots.
        _gap = new IndexGap(0, checkpoint);
        database.Put(StoreKeys.Gap, _gap.ToBytes(), writeOptions: write);
    }

    /// <summary>Adds what lacks to <paramref name="batch"/>.</summary>
    public void PutGap(WriteBatch batch, IndexGap gap)
    {
        batch.Put(StoreKeys.Gap, gap.ToBytes());
        _gap = gap;
    }

    /// <summary>The offset of an aggregate's event of <paramref name="version"/>; null when it is not here.</summary>
    public long? OffsetOf(ReadOnlySpan<byte> id, long version) =>
        database.Get(StoreKeys.Of(StoreKeys.Index, id, version)) is { } value ? IndexedEvent.Read(version, value).Offset : null;

    /// <summary>What is here of the page that <paramref name="query"/> asks for; null when the aggregate has no events.</summary>
    public IndexedHistory? Read(AggregateId aggregate, HistoryQuery query)
    {
        if (database.Get(StoreKeys.Of(StoreKeys.State, Encoding.UTF8.GetBytes(aggregate.Value))) is not { } state)
            return null;
        var reader = new AvroReader(state);
        long version = reader.ReadLong();
        return version == 0 ? null : Read(aggregate, version, reader.ReadLong(), query);
    }

    /// <summary>What is here of the page that <paramref name="query"/> asks for, of an aggregate that has a version.</summary>
    public IndexedHistory Read(AggregateId aggregate, long version, long lastOffset, HistoryQuery query)
    {
        IndexGap gap = _gap; // before the events: what it is filled with meanwhile is read twice at most
        long first = query.From ?? 1, last = version;
        long? next;
        if (query.IsDescending)
        {
            last = Math.Min(query.From ?? version, version);
            first = Math.Max(1, last - query.Limit + 1);
            next = first > 1 ? first - 1 : null;
        }
        else
        {
            last = first > version ? first - 1 : Math.Min(version, first + query.Limit - 1);
            next = last < version && first <= version ? last + 1 : null;
        }

        return new IndexedHistory(version, lastOffset, (first, last), Read(aggregate, first, last), next, gap);
    }

    /// <summary>
    /// The events of an aggregate from version <paramref name="first"/> to <paramref name="last"/>, both included, as far as they are here,
    /// in order.
    /// </summary>
    public List<IndexedEvent> Read(AggregateId aggregate, long first, long last)
    {
        byte[] id = Encoding.UTF8.GetBytes(aggregate.Value);
        byte[] beginning = StoreKeys.BeginningOf(StoreKeys.Index, id);
        var events = new List<IndexedEvent>();
        using Iterator all = database.NewIterator();
        for (all.Seek(StoreKeys.Of(StoreKeys.Index, id, first)); all.Valid(); all.Next())
        {
            ReadOnlySpan<byte> key = all.GetKeySpan();
            // an id may begin as another one does, up to the zero byte that no id has
            if (key.Length != beginning.Length + sizeof(long) || !key.StartsWith(beginning))
                break;
            long version = StoreKeys.NumberOf(key);
            if (version > last)
                break;
            events.Add(IndexedEvent.Read(version, all.Value()));
        }

        return events;
    }

    /// <summary>Writes <paramref name="batch"/>, and what lacks then.</summary>
    public void Fill(WriteBatch batch, IndexGap left, WriteOptions write)
    {
        batch.Put(StoreKeys.Gap, left.ToBytes());
        database.Write(batch, write);
        _gap = left;
    }
}
