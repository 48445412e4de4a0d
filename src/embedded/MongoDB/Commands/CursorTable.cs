using System.Collections.Concurrent;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>Open cursors. One that nobody asks for ten minutes is closed.</summary>
internal sealed class CursorTable(TimeProvider time) : IDisposable
{
    private const int MaxBatchBytes = 16 * 1024 * 1024;
    private static readonly TimeSpan IdleTime = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<long, Cursor> _cursors = [];
    private long _lastId;

    public BsonDocument Open(string ns, IEnumerator<BsonDocument> documents, StoreTransaction? view, int batchSize, bool singleBatch)
    {
        var cursor = new Cursor(Interlocked.Increment(ref _lastId) + 1_000_000, ns, documents, view);
        BsonArray batch;
        bool more;
        try
        {
            (batch, more) = cursor.Read(batchSize);
        }
        catch
        {
            cursor.Dispose();
            throw;
        }

        if (!more || singleBatch)
            cursor.Dispose();
        else
            Keep(cursor);
        return new BsonDocument("cursor", new BsonDocument { { "firstBatch", batch }, { "id", more && !singleBatch ? cursor.Id : 0L }, { "ns", ns } });
    }

    public BsonDocument Next(long id, int batchSize)
    {
        if (!_cursors.TryRemove(id, out Cursor? cursor))
            throw new MongoCommandException(MongoErrorCode.CursorNotFound, $"cursor id {id} not found");
        (BsonArray batch, bool more) = cursor.Read(batchSize);
        if (more)
            Keep(cursor);
        else
            cursor.Dispose();
        return new BsonDocument("cursor", new BsonDocument { { "nextBatch", batch }, { "id", more ? id : 0L }, { "ns", cursor.Namespace } });
    }

    public bool Kill(long id)
    {
        bool found = _cursors.TryRemove(id, out Cursor? cursor);
        cursor?.Dispose();
        return found;
    }

    public void Dispose()
    {
        foreach (long id in _cursors.Keys)
            Kill(id);
    }

    private void Keep(Cursor cursor)
    {
        cursor.LastUsed = time.GetUtcNow();
        _cursors[cursor.Id] = cursor;
        foreach (Cursor idle in _cursors.Values.Where(c => cursor.LastUsed - c.LastUsed > IdleTime))
            Kill(idle.Id);
    }

    private sealed class Cursor(long id, string ns, IEnumerator<BsonDocument> documents, StoreTransaction? view) : IDisposable
    {
        private BsonDocument? _ahead;

        public long Id => id;

        public string Namespace => ns;

        public DateTimeOffset LastUsed { get; set; }

        public (BsonArray Batch, bool More) Read(int size)
        {
            var batch = new BsonArray();
            long bytes = 0;
            while (batch.Count < size)
            {
                BsonDocument? next = _ahead ?? (documents.MoveNext() ? documents.Current : null);
                _ahead = null;
                if (next is null)
                    return (batch, false);
                long length = next.ToBson().Length;
                if (batch.Count > 0 && bytes + length > MaxBatchBytes)
                {
                    _ahead = next;
                    return (batch, true);
                }

                bytes += length;
                batch.Add(next);
            }

            // One further: an exact batch at the end needs no empty one behind it.
            _ahead = documents.MoveNext() ? documents.Current : null;
            return (batch, _ahead is not null);
        }

        public void Dispose()
        {
            documents.Dispose();
            view?.Dispose();
        }
    }
}
