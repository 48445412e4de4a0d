using System.Globalization;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Query;

/// <summary>Dotted paths into documents.</summary>
internal static class DocumentPath
{
    /// <summary>All values that <paramref name="path"/> reaches, arrays on the way walked through; null stands for "missing".</summary>
    public static IEnumerable<BsonValue?> Reach(BsonValue value, string path)
    {
        int dot = path.IndexOf('.', StringComparison.Ordinal);
        string head = dot < 0 ? path : path[..dot];
        string? rest = dot < 0 ? null : path[(dot + 1)..];
        switch (value)
        {
            case BsonDocument document:
                BsonValue? child = document.TryGetValue(head, out BsonValue found) ? found : null;
                if (rest is null || child is null)
                    yield return child;
                else
                    foreach (BsonValue? reached in Reach(child, rest))
                        yield return reached;
                break;
            case BsonArray array:
                if (int.TryParse(head, NumberStyles.None, CultureInfo.InvariantCulture, out int index) && index < array.Count)
                {
                    if (rest is null)
                        yield return array[index];
                    else
                        foreach (BsonValue? reached in Reach(array[index], rest))
                            yield return reached;
                }

                foreach (BsonValue item in array)
                {
                    if (item is not BsonDocument)
                        continue;
                    foreach (BsonValue? reached in Reach(item, path))
                        yield return reached;
                }

                break;
            default:
                yield return null;
                break;
        }
    }

    /// <summary>The value at <paramref name="path"/> as expressions see it: arrays on the way give arrays; null: missing.</summary>
    public static BsonValue? Evaluate(BsonValue value, string path)
    {
        foreach (string part in path.Split('.'))
        {
            switch (value)
            {
                case BsonDocument document:
                    if (!document.TryGetValue(part, out value))
                        return null;
                    break;
                case BsonArray array:
                    value = new BsonArray(array.OfType<BsonDocument>().Select(d => d.TryGetValue(part, out BsonValue found) ? found : null)
                        .Where(v => v is not null)!);
                    break;
                default:
                    return null;
            }
        }

        return value;
    }

    /// <summary>Sets a value, with documents on the way made where they are missing.</summary>
    public static void Set(BsonDocument document, string path, BsonValue value)
    {
        BsonValue parent = document;
        string[] parts = path.Split('.');
        for (int i = 0; i < parts.Length; i++)
        {
            bool last = i == parts.Length - 1;
            if (parent is BsonArray array)
            {
                if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out int index))
                    throw new MongoCommandException(MongoErrorCode.PathNotViable,
                        $"Cannot create field '{parts[i]}' in element {{{parts[Math.Max(0, i - 1)]}: {array}}}");
                while (array.Count <= index)
                    array.Add(BsonNull.Value);
                if (last)
                    array[index] = value;
                else if (array[index] is not (BsonDocument or BsonArray))
                    array[index] = new BsonDocument();
                if (!last)
                    parent = array[index];
            }
            else if (parent is BsonDocument owner)
            {
                if (last)
                    owner[parts[i]] = value;
                else if (!owner.Contains(parts[i]))
                    owner[parts[i]] = new BsonDocument();
                if (!last)
                    parent = owner[parts[i]];
            }
            else
            {
                throw new MongoCommandException(MongoErrorCode.PathNotViable,
                    $"Cannot create field '{parts[i]}' in element {{{parts[i - 1]}: {parent}}}");
            }
        }
    }

    /// <summary>The value at exactly this path; null: missing.</summary>
    public static BsonValue? Get(BsonDocument document, string path)
    {
        BsonValue value = document;
        foreach (string part in path.Split('.'))
        {
            if (value is BsonDocument owner && owner.TryGetValue(part, out BsonValue child))
                value = child;
            else if (value is BsonArray array
                && int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int index)
                && index < array.Count)
                value = array[index];
            else
                return null;
        }

        return value;
    }

    /// <summary>Removes what is at the path; false when there is nothing.</summary>
    public static bool Remove(BsonDocument document, string path)
    {
        int dot = path.LastIndexOf('.');
        BsonValue? parent = dot < 0 ? document : Get(document, path[..dot]);
        string name = path[(dot + 1)..];
        switch (parent)
        {
            case BsonDocument owner when owner.Contains(name):
                owner.Remove(name);
                return true;
            case BsonArray array when int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int index)
                && index < array.Count:
                array[index] = BsonNull.Value;
                return true;
            default:
                return false;
        }
    }
}
