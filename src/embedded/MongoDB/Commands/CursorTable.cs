using System.Collections.Concurrent;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>Open cursors. One that nobody asks for ten minutes is closed, and those of a session end with it.</summary>
internal sealed class CursorTable(TimeProvider time) : IDisposable
{
    private const int MaxBatchBytes = 16 * 1024 * 1024;
    private static readonly TimeSpan IdleTime = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<long, Cursor> _cursors = [];
    private readonly ConcurrentDictionary<long, Operation> _reading = []; // cursors that a getMore has in its hands
    private long _lastId;

    public BsonDocument Open(string ns, IEnumerator<BsonDocument> documents, StoreTransaction? view, int batchSize, bool singleBatch,
        BsonDocument command)
    {
        var cursor = new Cursor(Interlocked.Increment(ref _lastId) + 1_000_000, ns, documents, view)
        {
            Session = command.TryGetValue("lsid", out BsonValue lsid) ? lsid.AsBsonDocument["id"] : null,
            TimeLeft = command.TryGetValue("maxTimeMS", out BsonValue limit) && limit.ToInt64() > 0
                ? TimeSpan.FromMilliseconds(limit.ToInt64())
                : null,
        };
        (BsonArray batch, bool more) = Read(cursor, batchSize);

        if (!more || singleBatch)
            cursor.Dispose();
        else
            Keep(cursor);
        return new BsonDocument("cursor",
            new BsonDocument { { "firstBatch", batch }, { "id", more && !singleBatch ? cursor.Id : 0L }, { "ns", ns } });
    }

    public BsonDocument Next(long id, int batchSize)
    {
        if (!_cursors.TryRemove(id, out Cursor? cursor))
            throw new MongoCommandException(MongoErrorCode.CursorNotFound, $"cursor id {id} not found");
        BsonArray batch;
        bool more;
        Operation? operation = Operation.Current;
        if (operation is not null)
            _reading[id] = operation;
        try
        {
            if (cursor.TimeLeft is { } left)
                operation?.Limit(left); // of the cursor's whole life, as MongoDB counts it
            (batch, more) = Read(cursor, batchSize);
        }
        finally
        {
            _reading.TryRemove(id, out _);
        }

        if (more)
            Keep(cursor);
        else
            cursor.Dispose();
        return new BsonDocument("cursor",
            new BsonDocument { { "nextBatch", batch }, { "id", more ? id : 0L }, { "ns", cursor.Namespace } });
    }

    public bool Kill(long id)
    {
        bool found = _cursors.TryRemove(id, out Cursor? cursor);
        cursor?.Dispose();
        if (found || !_reading.TryGetValue(id, out Operation? operation))
            return found;
        operation.Kill(MongoErrorCode.CursorKilled);
        return true;
    }

    /// <summary>Closes the cursors of a session that has ended.</summary>
    public void KillOf(BsonValue session)
    {
        foreach (Cursor cursor in _cursors.Values.Where(c => c.Session == session))
            Kill(cursor.Id);
    }

    public void Dispose()
    {
        foreach (long id in _cursors.Keys)
            Kill(id);
    }

    // A cursor that fails is over.
    private (BsonArray Batch, bool More) Read(Cursor cursor, int batchSize)
    {
        long started = time.GetTimestamp();
        try
        {
            (BsonArray, bool) batch = cursor.Read(batchSize);
            cursor.TimeLeft -= time.GetElapsedTime(started);
            return batch;
        }
        catch
        {
            cursor.Dispose();
            throw;
        }
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
        private byte[]? _ahead;

        public long Id => id;

        public string Namespace => ns;

        public DateTimeOffset LastUsed { get; set; }

        public BsonValue? Session { get; init; }

        public TimeSpan? TimeLeft { get; set; }

        public (BsonArray Batch, bool More) Read(int size)
        {
            var batch = new BsonArray();
            long bytes = 0;
            while (batch.Count < size)
            {
                byte[]? next = _ahead ?? Encoded();
                _ahead = null;
                if (next is null)
                    return (batch, false);
                if (batch.Count > 0 && bytes + next.Length > MaxBatchBytes)
                {
                    _ahead = next;
                    return (batch, true);
                }

                bytes += next.Length;
                batch.Add(new RawBsonDocument(next)); // its bytes go into the answer as they are
            }

            // One further: an exact batch at the end needs no empty one behind it.
            _ahead = Encoded();
            return (batch, _ahead is not null);
        }

        private byte[]? Encoded() => documents.MoveNext() ? documents.Current.ToBson() : null;

        public void Dispose()
        {
            documents.Dispose();
            view?.Dispose();
        }
    }
}
