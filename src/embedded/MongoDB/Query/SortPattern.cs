using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Query;

/// <summary>A compiled sort.</summary>
internal sealed class SortPattern : IComparer<BsonDocument>
{
    private readonly (string Path, int Direction)[] _fields;

    private SortPattern((string, int)[] fields) => _fields = fields;

    public IReadOnlyList<(string Path, int Direction)> Fields => _fields;

    public static SortPattern Parse(BsonDocument pattern) => new([.. pattern.Select(e =>
        e.Value is { IsNumeric: true } direction && direction.ToInt32() is 1 or -1
            ? (e.Name, e.Value.ToInt32())
            : throw new MongoCommandException(MongoErrorCode.BadValue, $"Illegal key in $sort specification: {e.Name}: {e.Value}"))]);

    public int Compare(BsonDocument? x, BsonDocument? y)
    {
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
