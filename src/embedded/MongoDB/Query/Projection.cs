using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Query;

/// <summary>A compiled projection: fields taken, fields left out, fields computed.</summary>
internal sealed class Projection
{
    private readonly bool _inclusive;
    private readonly bool _keepsId;
    private readonly string[] _paths;
    private readonly (string Path, Expression Value)[] _computed;

    private Projection(bool inclusive, bool keepsId, string[] paths, (string, Expression)[] computed) =>
        (_inclusive, _keepsId, _paths, _computed) = (inclusive, keepsId, paths, computed);

    public static Projection Parse(BsonDocument projection)
    {
        bool? inclusive = null;
        bool keepsId = true;
        var paths = new List<string>();
        var computed = new List<(string, Expression)>();
        foreach (BsonElement field in Flatten(projection, ""))
        {
            if (field.Value is BsonBoolean or { IsNumeric: true })
            {
                bool takes = Expression.IsTrue(field.Value);
                if (field.Name == "_id")
                {
                    keepsId = takes;
                    inclusive ??= takes && projection.ElementCount == 1 ? true : null;
                    continue;
                }

                if (inclusive is { } kind && kind != takes)
                    throw new MongoCommandException((MongoErrorCode)(takes ? 31253 : 31254),
                        $"Cannot do {(takes ? "inclusion" : "exclusion")} on field {field.Name} "
                            + $"in {(takes ? "exclusion" : "inclusion")} projection");
                inclusive = takes;
                paths.Add(field.Name);
                continue;
            }

            if (field.Value is BsonDocument { ElementCount: 1 } special
                && special.GetElement(0).Name is "$slice" or "$elemMatch" or "$meta")
                throw new MongoCommandException(MongoErrorCode.CommandNotSupported,
                    $"The projection operator {special.GetElement(0).Name} is not supported here.");
            computed.Add((field.Name, Expression.Parse(field.Value)));
            inclusive ??= true;
        }

        return new Projection(inclusive ?? false, keepsId, [.. paths], [.. computed]);
    }

    public BsonDocument Apply(BsonDocument document)
    {
        BsonDocument result;
        if (_inclusive)
        {
            result = [];
            if (_keepsId && document.TryGetValue("_id", out BsonValue id))
                result.Add("_id", id);
            foreach (BsonElement element in document)
            {
                if (element.Name != "_id" && Include(element.Name, element.Value) is { } taken)
                    result.Add(element.Name, taken);
            }
        }
        else
        {
            result = document.DeepClone().AsBsonDocument;
            if (!_keepsId)
                result.Remove("_id");
            foreach (string path in _paths)
                DocumentPath.Remove(result, path);
        }

        if (_computed.Length > 0)
        {
            var context = new ExpressionContext(document);
            foreach ((string path, Expression value) in _computed)
            {
                if (value.Evaluate(context) is { } computed)
                    DocumentPath.Set(result, path, computed);
            }
        }

        return result;
    }

    private static IEnumerable<BsonElement> Flatten(BsonDocument projection, string prefix)
    {
        foreach (BsonElement element in projection)
        {
            if (element.Value is BsonDocument { ElementCount: > 0 } nested && nested.GetElement(0).Name[0] != '$')
            {
                foreach (BsonElement inner in Flatten(nested, prefix + element.Name + "."))
                    yield return inner;
            }
            else
            {
                yield return new BsonElement(prefix + element.Name, element.Value);
            }
        }
    }

    private BsonValue? Include(string path, BsonValue value)
    {
        if (_paths.Contains(path))
            return value;
        if (!_paths.Any(p => p.StartsWith(path + ".", StringComparison.Ordinal)))
            return null;
        switch (value)
        {
            case BsonDocument document:
                var part = new BsonDocument();
                foreach (BsonElement element in document)
                {
                    if (Include($"{path}.{element.Name}", element.Value) is { } taken)
                        part.Add(element.Name, taken);
                }

                return part;
            case BsonArray array:
                return new BsonArray(array.OfType<BsonDocument>().Select(item => Include(path, item)).Where(v => v is not null)!);
            default:
                return null;
        }
    }
}
