using KafkaEventSourcing.Embedded.MongoDB.Query;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>What an index holds of a document.</summary>
internal static class IndexEntries
{
    /// <summary>One entry for each item of an array ("multikey"); of a compound index at most one field may be an array.</summary>
    public static IEnumerable<(byte[] Entry, int ValuesLength)> From(
        CollectionDefinition collection, IndexDefinition index, BsonDocument document, byte[] documentKey)
    {
        var values = new BsonValue[index.Fields.Count][];
        bool any = false;
        for (int i = 0; i < values.Length; i++)
        {
            BsonValue?[] reached = [.. DocumentPath.Reach(document, index.Fields[i].Path)];
            any |= Array.Exists(reached, v => v is not null);
            values[i] = [.. reached.SelectMany(v =>
                v is BsonArray { Count: > 0 } array ? [.. array, array] : (IEnumerable<BsonValue>)[v ?? BsonNull.Value]).Distinct(
                    BsonValueComparer.Instance)];
            if (values[i].Length == 0)
                values[i] = [BsonNull.Value];
        }

        if (index.Sparse && !any)
            yield break;
        if (values.Count(v => v.Length > 1) > 1)
            throw new MongoCommandException((MongoErrorCode)171, "cannot index parallel arrays");
        int combinations = values.Max(v => v.Length);
        for (int c = 0; c < combinations; c++)
        {
            KeyString key = new KeyString().Int32(collection.Number).Int32(index.Number);
            for (int i = 0; i < values.Length; i++)
                key.Append(values[i][values[i].Length > 1 ? c : 0], index.Fields[i].Descending);
            byte[] prefix = key.ToArray();
            yield return ([.. prefix, .. documentKey.AsSpan(DocumentStore.DocumentKeyPrefix)], prefix.Length);
        }
    }

    /// <summary>That another document has what a unique index holds of <paramref name="document"/>.</summary>
    public static MongoCommandException Duplicate(CollectionDefinition collection, IndexDefinition index, BsonDocument document)
    {
        var values = new BsonDocument(index.Fields.Select(f =>
            new BsonElement(f.Path, DocumentPath.Get(document, f.Path) ?? BsonNull.Value)));
        return new MongoCommandException(MongoErrorCode.DuplicateKey,
            $"E11000 duplicate key error collection: {collection.Namespace} index: {index.Name} dup key: {values}")
        {
            KeyPattern = index.Keys,
            KeyValue = values,
        };
    }
}
