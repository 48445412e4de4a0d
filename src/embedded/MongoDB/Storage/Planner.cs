using KafkaEventSourcing.Embedded.MongoDB.Query;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>How the candidates of a query are found; the matcher still checks each.</summary>
internal sealed record Plan(string Stage, string? IndexName, Func<StoreTransaction, IEnumerable<BsonDocument>> Candidates);

/// <summary>Chooses an index by the conditions that every match fulfils: the longest prefix of equalities, then one range.</summary>
internal sealed class Planner(DocumentStore store)
{
    private readonly record struct Scan(IndexDefinition Index, List<byte[]> Prefixes, byte[]? From, byte[]? To, int Score);

    public Plan Choose(CollectionDefinition collection, Matcher matcher)
    {
        if (matcher.Bounds.FirstOrDefault(b => b is { Path: "_id", Operator: "$eq" }) is { Path: not null } byId)
            return new Plan("IDHACK", "_id_", t => store.Get(collection, byId.Value, t) is { } found ? [found] : []);
        if (matcher.Bounds.FirstOrDefault(b => b is { Path: "_id", Operator: "$in" }) is { Path: not null } byIds)
        {
            BsonValue[] ids = [.. byIds.Value.AsBsonArray.Distinct(BsonValueComparer.Instance).Order(BsonValueComparer.Instance)];
            return new Plan("IXSCAN", "_id_", t => ids.Select(id => store.Get(collection, id, t)).Where(d => d is not null)!);
        }

        Scan? best = null;
        foreach (IndexDefinition index in collection.Indexes)
        {
            if (!index.Sparse && ScanOf(collection, index, matcher) is { Score: > 0 } scan && (best is null || scan.Score > best.Value.Score))
                best = scan;
        }

        if (best is not { } chosen)
            return new Plan("COLLSCAN", null, t => store.ScanDocuments(collection, t));
        if (chosen.Index.Number == 0)
            return new Plan("IXSCAN", "_id_", t => ScanIds(chosen, t));
        return new Plan("IXSCAN", chosen.Index.Name, t => ScanIndex(chosen, t));
    }

    private static IEnumerable<BsonDocument> ScanIds(Scan scan, StoreTransaction transaction)
    {
        (byte[] from, byte[] to) = RangeOf(scan, scan.Prefixes[0]);
        return transaction.Scan(from, to).Select(e => global::MongoDB.Bson.Serialization.BsonSerializer.Deserialize<BsonDocument>(e.Value));
    }

    private IEnumerable<BsonDocument> ScanIndex(Scan scan, StoreTransaction transaction)
    {
        foreach (byte[] prefix in scan.Prefixes)
        {
            (byte[] from, byte[] to) = RangeOf(scan, prefix);
            foreach (BsonDocument document in store.ScanIndex(from, to, transaction))
                yield return document;
        }
    }

    private static (byte[] From, byte[] To) RangeOf(Scan scan, byte[] prefix) =>
        (scan.From is null ? prefix : [.. prefix, .. scan.From], scan.To is null ? [.. prefix, 0xff] : [.. prefix, .. scan.To, 0xff]);

    private Scan? ScanOf(CollectionDefinition collection, IndexDefinition index, Matcher matcher)
    {
        List<byte[]> prefixes = [store.Prefix(collection, index.Number)];
        int score = 0;
        foreach ((string path, bool descending) in index.Fields)
        {
            FieldBound[] bounds = [.. matcher.Bounds.Where(b => b.Path == path)];
            if (bounds.FirstOrDefault(b => b.Operator == "$eq") is { Path: not null } equal)
            {
                prefixes = prefixes.ConvertAll(p => new KeyString().Raw(p).Append(equal.Value, descending).ToArray());
                score += 4;
                continue;
            }

            // Several values: one scan each, as long as they are the only such field.
            if (prefixes.Count == 1 && bounds.FirstOrDefault(b => b.Operator == "$in") is { Path: not null } anyOf)
            {
                byte[] start = prefixes[0];
                prefixes = [.. anyOf.Value.AsBsonArray.Distinct(BsonValueComparer.Instance).Order(BsonValueComparer.Instance).Select(v => new KeyString().Raw(start).Append(v, descending).ToArray())];
                score += 3;
                continue;
            }

            byte[]? from = null;
            byte[]? to = null;
            foreach (FieldBound bound in bounds)
            {
                byte[] value = new KeyString().Append(bound.Value, descending).ToArray();
                bool lower = (bound.Operator is "$gt" or "$gte") != descending;
                if (bound.Operator is "$in")
                    continue;
                if (lower)
                    from = value;
                else
                    to = value;
            }

            return from is null && to is null ? new Scan(index, prefixes, null, null, score) : new Scan(index, prefixes, from, to, score + 2);
        }

        return new Scan(index, prefixes, null, null, score);
    }
}
