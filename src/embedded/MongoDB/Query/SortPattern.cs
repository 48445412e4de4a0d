using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Query;

/// <summary>A compiled sort.</summary>
internal sealed class SortPattern : IComparer<BsonDocument>
{
    private const int MaxKept = 10_000;

    private readonly (string Path, int Direction)[] _fields;

    private SortPattern((string, int)[] fields) => _fields = fields;

    public IReadOnlyList<(string Path, int Direction)> Fields => _fields;

    public static SortPattern Parse(BsonDocument pattern) => new([.. pattern.Select(e =>
        e.Value is { IsNumeric: true } direction && direction.ToInt32() is 1 or -1
            ? (e.Name, e.Value.ToInt32())
            : throw new MongoCommandException(MongoErrorCode.BadValue, $"Illegal key in $sort specification: {e.Name}: {e.Value}"))]);

    /// <summary>The documents in order; of more than <paramref name="count"/>, unless it is 0, only so many are kept.</summary>
    public IEnumerable<BsonDocument> First(IEnumerable<BsonDocument> documents, long count)
    {
        if (count is 0 or > MaxKept)
            return documents.OrderBy(d => d, this);
        // The last of those kept is at the head; of equals the later one.
        var kept = new PriorityQueue<BsonDocument, (BsonDocument Document, long At)>(
            Comparer<(BsonDocument Document, long At)>.Create((x, y) =>
            {
                int order = Compare(y.Document, x.Document);
                return order != 0 ? order : y.At.CompareTo(x.At);
            }));
        long at = 0;
        foreach (BsonDocument document in documents)
        {
            if (kept.Count < count)
                kept.Enqueue(document, (document, at++));
            else
                kept.EnqueueDequeue(document, (document, at++));
        }

        var first = new BsonDocument[kept.Count];
        for (int i = first.Length - 1; i >= 0; i--)
            first[i] = kept.Dequeue();
        return first;
    }

    public int Compare(BsonDocument? x, BsonDocument? y)
    {
        Commands.Operation.Check();
        foreach ((string path, int direction) in _fields)
        {
            int order = BsonValueComparer.Instance.Compare(KeyOf(x!, path, direction), KeyOf(y!, path, direction));
            if (order != 0)
                return order * direction;
        }

        return 0;
    }

    // Of an array the smallest item counts, or the largest when the order descends.
    private static BsonValue KeyOf(BsonDocument document, string path, int direction)
    {
        BsonValue? best = null;
        foreach (BsonValue? reached in DocumentPath.Reach(document, path))
        {
            IEnumerable<BsonValue> candidates = reached is BsonArray { Count: > 0 } array ? array : [reached ?? BsonNull.Value];
            foreach (BsonValue candidate in candidates)
            {
                if (best is null || BsonValueComparer.Instance.Compare(candidate, best) * direction < 0)
                    best = candidate;
            }
        }

        return best ?? BsonNull.Value;
    }
}
