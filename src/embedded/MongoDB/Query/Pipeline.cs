using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Query;

/// <summary>The documents of a collection, for stages that read other collections.</summary>
internal delegate IEnumerable<BsonDocument> CollectionSource(string collection, Matcher? filter);

/// <summary>A compiled aggregation pipeline.</summary>
internal sealed class Pipeline
{
    private const int MaxGroups = 1_000_000;

    private readonly List<Func<IEnumerable<BsonDocument>, IEnumerable<BsonDocument>>> _stages = [];

    private Pipeline()
    {
    }

    /// <summary>The filter that the pipeline starts with, for the choice of an index; an empty document without one.</summary>
    public BsonDocument LeadingMatch { get; private set; } = [];

    public static Pipeline Parse(BsonArray stages, CollectionSource source)
    {
        var pipeline = new Pipeline();
        for (int i = 0; i < stages.Count; i++)
        {
            if (stages[i] is not BsonDocument { ElementCount: 1 } stage)
                throw new MongoCommandException((MongoErrorCode)40323,
                    "A pipeline stage specification object must contain exactly one field.");
            BsonElement element = stage.GetElement(0);
            if (i == 0 && element.Name == "$match")
                pipeline.LeadingMatch = Document(element);
            pipeline._stages.Add(ParseStage(element.Name, element, source));
        }

        return pipeline;
    }

    public IEnumerable<BsonDocument> Run(IEnumerable<BsonDocument> documents) =>
        _stages.Aggregate(documents.Select(Checked), (input, stage) => stage(input));

    // Documents that are in memory already, as those of a facet, are not read from the store, which checks.
    private static BsonDocument Checked(BsonDocument document)
    {
        Commands.Operation.Check();
        return document;
    }

    private static BsonDocument Document(BsonElement stage) =>
        stage.Value as BsonDocument
            ?? throw new MongoCommandException(MongoErrorCode.FailedToParse, $"the {stage.Name} specification must be an object");

    private static Func<IEnumerable<BsonDocument>, IEnumerable<BsonDocument>> ParseStage(
        string name, BsonElement stage, CollectionSource source)
    {
        switch (name)
        {
            case "$match":
                Matcher matcher = Matcher.Parse(Document(stage));
                return input => input.Where(matcher.Matches);
            case "$project":
                Projection projection = Projection.Parse(Document(stage));
                return input => input.Select(projection.Apply);
            case "$unset":
                Projection unset = Projection.Parse(
                    new BsonDocument((stage.Value is BsonArray many ? many : [stage.Value]).Select(f => new BsonElement(f.AsString, 0))));
                return input => input.Select(unset.Apply);
            case "$addFields" or "$set":
                (string Path, Expression Value)[] added = [.. Document(stage).Select(e => (e.Name, Expression.Parse(e.Value)))];
                return input => input.Select(d => AddFields(d, added));
            case "$replaceRoot" or "$replaceWith":
                Expression root = Expression.Parse(name == "$replaceRoot" ? Document(stage)["newRoot"] : stage.Value);
                return input => input.Select(d => root.Evaluate(new ExpressionContext(d)) as BsonDocument
                    ?? throw new MongoCommandException((MongoErrorCode)40228, "'newRoot' expression must evaluate to an object"));
            case "$sort":
                SortPattern order = SortPattern.Parse(Document(stage));
                return input => input.OrderBy(d => d, order);
            case "$limit":
                long limit = stage.Value.ToInt64();
                return limit > 0
                    ? input => input.Take((int)Math.Min(limit, int.MaxValue))
                    : throw new MongoCommandException((MongoErrorCode)15958, "the limit must be positive");
            case "$skip":
                long skip = stage.Value.ToInt64();
                return skip >= 0
                    ? input => input.Skip((int)Math.Min(skip, int.MaxValue))
                    : throw new MongoCommandException((MongoErrorCode)15956, "Argument to $skip cannot be negative");
            case "$count":
                string counted = stage.Value.AsString;
                return input => Count(input, counted);
            case "$group":
                return Group(Document(stage));
            case "$sortByCount":
                Func<IEnumerable<BsonDocument>, IEnumerable<BsonDocument>> grouped = Group(
                    new BsonDocument { { "_id", stage.Value }, { "count", new BsonDocument("$sum", 1) } });
                return input => grouped(input).OrderByDescending(d => d["count"].ToInt64());
            case "$unwind":
                return Unwind(stage.Value);
            case "$lookup":
                return Lookup(Document(stage), source);
            case "$unionWith":
                string union = stage.Value is BsonString only ? only.Value : Document(stage)["coll"].AsString;
                Pipeline after = Parse(stage.Value is BsonDocument d && d.TryGetValue("pipeline", out BsonValue p)
                    ? p.AsBsonArray
                    : [], source);
                return input => input.Concat(after.Run(source(union, null)));
            case "$facet":
                (string Name, Pipeline Pipeline)[] facets = [.. Document(stage).Select(e => (e.Name, Parse(e.Value.AsBsonArray, source)))];
                return input => Facet(input, facets);
            default:
                throw new MongoCommandException(MongoErrorCode.Location40324, $"Unrecognized pipeline stage name: '{name}'");
        }
    }

    private static BsonDocument AddFields(BsonDocument document, (string Path, Expression Value)[] added)
    {
        var context = new ExpressionContext(document);
        BsonDocument result = document.DeepClone().AsBsonDocument;
        foreach ((string path, Expression value) in added)
        {
            if (value.Evaluate(context) is { } computed)
                DocumentPath.Set(result, path, computed);
            else
                DocumentPath.Remove(result, path);
        }

        return result;
    }

    private static IEnumerable<BsonDocument> Count(IEnumerable<BsonDocument> input, string name)
    {
        int count = input.Count();
        if (count > 0)
            yield return new BsonDocument(name, count);
    }

    private static Func<IEnumerable<BsonDocument>, IEnumerable<BsonDocument>> Group(BsonDocument specification)
    {
        if (!specification.TryGetValue("_id", out BsonValue idValue))
            throw new MongoCommandException((MongoErrorCode)15955, "a group specification must include an _id");
        Expression id = Expression.Parse(idValue);
        (string Name, string Operator, Expression Value)[] fields =
        [
            .. specification.Where(e => e.Name != "_id").Select(e => e.Value is BsonDocument { ElementCount: 1 } call
                ? (e.Name, call.GetElement(0).Name, Expression.Parse(call.GetElement(0).Value))
                : throw new MongoCommandException((MongoErrorCode)40234, $"The field '{e.Name}' must be an accumulator object")),
        ];
        foreach ((_, string name, _) in fields)
            Accumulator.Create(name);
        return Run;

        IEnumerable<BsonDocument> Run(IEnumerable<BsonDocument> input)
        {
            var groups = new Dictionary<BsonValue, Accumulator[]>(BsonValueComparer.Instance);
            foreach (BsonDocument document in input)
            {
                var context = new ExpressionContext(document);
                BsonValue key = id.Evaluate(context) ?? BsonNull.Value;
                if (!groups.TryGetValue(key, out Accumulator[]? accumulators))
                {
                    if (groups.Count >= MaxGroups)
                        throw new MongoCommandException(MongoErrorCode.QueryExceededMemoryLimitNoDiskUseAllowed,
                            "Exceeded memory limit for $group, but didn't allow external sort.");
                    groups.Add(key, accumulators = [.. fields.Select(f => Accumulator.Create(f.Operator))]);
                }

                for (int i = 0; i < fields.Length; i++)
                    accumulators[i].Add(fields[i].Value.Evaluate(context));
            }

            foreach ((BsonValue key, Accumulator[] accumulators) in groups)
            {
                var result = new BsonDocument("_id", key);
                for (int i = 0; i < fields.Length; i++)
                    result.Add(fields[i].Name, accumulators[i].Result);
                yield return result;
            }
        }
    }

    private static Func<IEnumerable<BsonDocument>, IEnumerable<BsonDocument>> Unwind(BsonValue specification)
    {
        string path = (specification is BsonDocument named ? named["path"].AsString : specification.AsString)[1..];
        var options = specification as BsonDocument;
        bool keepsEmpty = options is not null && Expression.IsTrue(options.GetValue("preserveNullAndEmptyArrays", false));
        string? index = options is not null && options.TryGetValue("includeArrayIndex", out BsonValue i) ? i.AsString : null;
        return Run;

        IEnumerable<BsonDocument> Run(IEnumerable<BsonDocument> input)
        {
            foreach (BsonDocument document in input)
            {
                BsonValue? value = DocumentPath.Get(document, path);
                if (value is not BsonArray array)
                {
                    if (value is not (null or BsonNull) || keepsEmpty)
                        yield return With(document, value, BsonNull.Value);
                    continue;
                }

                if (array.Count == 0 && keepsEmpty)
                {
                    BsonDocument without = document.DeepClone().AsBsonDocument;
                    DocumentPath.Remove(without, path);
                    yield return without;
                }

                for (int at = 0; at < array.Count; at++)
                {
                    Commands.Operation.Check();
                    yield return With(document, array[at], new BsonInt64(at));
                }
            }
        }

        BsonDocument With(BsonDocument document, BsonValue? value, BsonValue at)
        {
            BsonDocument result = document.DeepClone().AsBsonDocument;
            if (value is not null)
                DocumentPath.Set(result, path, value);
            if (index is not null)
                result[index] = at;
            return result;
        }
    }

    private static Func<IEnumerable<BsonDocument>, IEnumerable<BsonDocument>> Lookup(BsonDocument specification, CollectionSource source)
    {
        string from = specification["from"].AsString;
        string target = specification["as"].AsString;
        string? local = specification.TryGetValue("localField", out BsonValue l) ? l.AsString : null;
        string? foreign = specification.TryGetValue("foreignField", out BsonValue f) ? f.AsString : null;
        if (specification.Contains("let"))
            throw new MongoCommandException(MongoErrorCode.CommandNotSupported, "$lookup with 'let' is not supported here.");
        Pipeline after = Parse(specification.TryGetValue("pipeline", out BsonValue p) ? p.AsBsonArray : [], source);
        return input => input.Select(document =>
        {
            Matcher? filter = null;
            if (local is not null && foreign is not null)
            {
                BsonValue value = DocumentPath.Evaluate(document, local) ?? BsonNull.Value;
                filter = Matcher.Parse(new BsonDocument(foreign,
                    value is BsonArray many ? new BsonDocument("$in", many) : new BsonDocument("$eq", value)));
            }

            BsonDocument result = document.DeepClone().AsBsonDocument;
            DocumentPath.Set(result, target, new BsonArray(after.Run(source(from, filter))));
            return result;
        });
    }

    private static IEnumerable<BsonDocument> Facet(IEnumerable<BsonDocument> input, (string Name, Pipeline Pipeline)[] facets)
    {
        BsonDocument[] all = [.. input];
        yield return new BsonDocument(facets.Select(f => new BsonElement(f.Name, new BsonArray(f.Pipeline.Run(all)))));
    }
}
