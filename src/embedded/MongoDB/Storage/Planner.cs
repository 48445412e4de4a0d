using KafkaEventSourcing.Embedded.MongoDB.Query;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>How the candidates of a query are found; the matcher still checks each.</summary>
/// <param name="Stage">MongoDB's name of it.</param>
/// <param name="IndexName">The index; null: none.</param>
/// <param name="IsSorted">Whether the candidates come in the order that was asked for.</param>
/// <param name="Candidates">Finds them.</param>
internal sealed record Plan(string Stage, string? IndexName, bool IsSorted, Func<StoreTransaction, IEnumerable<BsonDocument>> Candidates);

/// <summary>Chooses an index by the conditions that every match fulfils: the longest prefix of equalities, then one range.</summary>
internal sealed class Planner(DocumentStore store)
{
    private readonly record struct Scan(IndexDefinition Index, List<byte[]> Prefixes, byte[]? From, byte[]? To, int Score, bool IsSorted);

    /// <summary>
    /// Of a filter that is one <c>$or</c>, what an index finds for each alternative, in the order of <paramref name="sort"/>; null when
    /// there is none for one of them.
    /// </summary>
    public Func<StoreTransaction, IEnumerable<BsonDocument>>? ChooseForAlternatives(
        CollectionDefinition collection, BsonDocument filter, SortPattern? sort)
    {
        if (filter is not { ElementCount: 1 } || filter.GetElement(0) is not { Name: "$or", Value: BsonArray { Count: > 0 } alternatives })
            return null;
        (Matcher Matcher, Plan Plan)[] plans = [.. alternatives.Select(a => Matcher.Parse(a.AsBsonDocument)).Select(m =>
            (m, Choose(collection, m, sort)))];
        return Array.TrueForAll(plans, p => p.Plan.IndexName is not null && (sort is null || p.Plan.IsSorted))
            ? transaction => Merge([.. plans.Select(p => p.Plan.Candidates(transaction).Where(p.Matcher.Matches))], sort)
            : null;
    }

    // Each document once; of sorted parts in order.
    private static IEnumerable<BsonDocument> Merge(IEnumerable<BsonDocument>[] parts, SortPattern? sort)
    {
        var seen = new HashSet<BsonValue>(BsonValueComparer.Instance);
        if (sort is null)
        {
            foreach (BsonDocument document in parts.SelectMany(p => p).Where(d => seen.Add(d["_id"])))
                yield return document;
            yield break;
        }

        var open = new List<IEnumerator<BsonDocument>>();
        try
        {
            foreach (IEnumerable<BsonDocument> part in parts)
            {
                IEnumerator<BsonDocument> documents = part.GetEnumerator();
                if (documents.MoveNext())
                    open.Add(documents);
                else
                    documents.Dispose();
            }

            while (open.Count > 0)
            {
                IEnumerator<BsonDocument> next = open.MinBy(d => d.Current, sort)!;
                BsonDocument document = next.Current;
                if (!next.MoveNext())
                {
                    open.Remove(next);
                    next.Dispose();
                }

                if (seen.Add(document["_id"]))
                    yield return document;
            }
        }
        finally
        {
            open.ForEach(d => d.Dispose());
        }
    }

    public Plan Choose(CollectionDefinition collection, Matcher matcher, SortPattern? sort = null)
    {
        if (matcher.Bounds.FirstOrDefault(b => b is { Path: "_id", Operator: "$eq" }) is { Path: not null } byId)
            return new Plan("IDHACK", "_id_", IsSorted: true, t => store.Get(collection, byId.Value, t) is { } found ? [found] : []);
        if (matcher.Bounds.FirstOrDefault(b => b is { Path: "_id", Operator: "$in" }) is { Path: not null } byIds)
        {
            BsonValue[] ids = [.. byIds.Value.AsBsonArray.Distinct(BsonValueComparer.Instance).Order(BsonValueComparer.Instance)];
            return new Plan("IXSCAN", "_id_", sort is { Fields: [("_id", 1), ..] },
                t => ids.Select(id => store.Get(collection, id, t)).Where(d => d is not null)!);
        }

        Scan? best = null;
        foreach (IndexDefinition index in collection.Indexes)
        {
            // Of two that find the same, the one that has the order; an order alone is better than nothing.
            if (!index.Sparse && ScanOf(collection, index, matcher, sort) is { } scan && (scan.Score > 0 || scan.IsSorted)
                && (best is null
                    || scan.Score > best.Value.Score
                    || (scan.Score == best.Value.Score && scan.IsSorted && !best.Value.IsSorted)))
                best = scan;
        }

        if (best is not { } chosen)
            return new Plan("COLLSCAN", null, IsSorted: false, t => store.ScanDocuments(collection, t));
        if (chosen.Index.Number == 0)
            return new Plan("IXSCAN", "_id_", chosen.IsSorted, t => ScanIds(chosen, t));
        return new Plan("IXSCAN", chosen.Index.Name, chosen.IsSorted, t => ScanIndex(chosen, t));
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

    private Scan? ScanOf(CollectionDefinition collection, IndexDefinition index, Matcher matcher, SortPattern? sort)
    {
        List<byte[]> prefixes = [store.Prefix(collection, index.Number)];
        int score = 0;
        bool isSorted = sort is not null && HasOrder(index, matcher, sort);
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
                prefixes = [.. anyOf.Value.AsBsonArray.Distinct(BsonValueComparer.Instance).Order(BsonValueComparer.Instance).Select(v =>
                    new KeyString().Raw(start).Append(v, descending).ToArray())];
                score += 3;
                isSorted &= prefixes.Count <= 1;
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

            if (index.MayHaveArrays && from is not null)
                to = null; // one item of an array may be beyond the one end, and another beyond the other
            return from is null && to is null
                ? new Scan(index, prefixes, null, null, score, isSorted)
                : new Scan(index, prefixes, from, to, score + 2, isSorted);
        }

        return new Scan(index, prefixes, null, null, score, isSorted);
    }

    // Behind the fields that every match has one value of, an index is in the order of its others, and then in that of the ids.
    private static bool HasOrder(IndexDefinition index, Matcher matcher, SortPattern sort)
    {
        bool IsOne(string path) => matcher.Bounds.Any(b => b.Path == path && b.Operator == "$eq");
        (string Path, int Direction)[] rest = [.. index.Fields.SkipWhile(f => IsOne(f.Path)).Select(f => (f.Path, f.Descending ? -1 : 1))];
        if (rest.Length > 0 && index.MayHaveArrays)
            return false;
        if (rest is not [.., ("_id", _)])
            rest = [.. rest, ("_id", 1)];
        (string Path, int Direction)[] wanted = [.. sort.Fields.Where(f => index.MayHaveArrays || !IsOne(f.Path))];
        int byId = Array.FindIndex(wanted, f => f.Path == "_id"); // no two documents are equal in it
        return wanted.Take(byId < 0 ? wanted.Length : byId + 1).SequenceEqual(rest.Take(byId < 0 ? wanted.Length : byId + 1));
    }
}
