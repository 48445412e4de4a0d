using KafkaEventSourcing.Projections.MongoDB;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// Which filters of a read model an index serves together, and in which order: nothing else is offered, as it would read the whole
/// collection.
/// </summary>
internal sealed class ServedFilters
{
    private static readonly MongoIndexKey ById = new("_id", IsDescending: false);

    private readonly List<(string[] Filters, IReadOnlyList<MongoIndexKey> Order)> _prefixes = [([], [ById])];

    public ServedFilters(IEnumerable<MongoIndex> indexes, DocumentShape shape)
    {
        foreach (MongoIndex index in indexes)
        {
            IReadOnlyList<MongoIndexKey> keys = index.Keys;
            for (int length = 1; length <= index.Fields.Count; length++)
            {
                string[] filters = [.. keys.Take(length).Select(k => k.Field)];
                MongoIndexKey[] order = [.. keys.Skip(length)];
                // A document with several values at once has no place in an order of its own.
                if (!filters.Contains(ById.Field)
                    && !Array.Exists(order, k => shape.IsMany(k.Field))
                    && !_prefixes.Exists(p => p.Filters.ToHashSet().SetEquals(filters)))
                    _prefixes.Add((filters, order.Length == 0 ? [ById] : order));
            }
        }

        Fields = [.. _prefixes.SelectMany(p => p.Filters).Distinct().Order(StringComparer.Ordinal)];
    }

    /// <summary>The fields that can be filtered by, alone or with others.</summary>
    public IReadOnlyList<string> Fields { get; }

    /// <summary>What can be given together, in words.</summary>
    public string Possible => string.Join("; ", _prefixes.Skip(1).Select(p => string.Join(" and ", p.Filters)).DefaultIfEmpty("none"));

    /// <summary>The order of the documents that equal <paramref name="filters"/>; null: no index has them together.</summary>
    public IReadOnlyList<MongoIndexKey>? OrderOf(IReadOnlyCollection<string> filters) =>
        _prefixes.Find(p => p.Filters.Length == filters.Count && p.Filters.All(filters.Contains)).Order;
}
