using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Query;

/// <summary>A compiled update: a replacement, operators, or a pipeline.</summary>
internal sealed class UpdateProgram
{
    private static readonly BsonValueComparer Order = BsonValueComparer.Instance;

    private readonly BsonDocument? _replacement;
    private readonly Pipeline? _pipeline;
    private readonly List<(string Operator, string Path, BsonValue Value)> _changes = [];

    private UpdateProgram(BsonDocument? replacement, Pipeline? pipeline) => (_replacement, _pipeline) = (replacement, pipeline);

    public bool IsReplacement => _replacement is not null;

    public static UpdateProgram Parse(BsonValue update)
    {
        if (update is BsonArray stages)
            return new UpdateProgram(null,
                Pipeline.Parse(stages, (_, _) => throw Failed("A pipeline update cannot read other collections.")));
        if (update is not BsonDocument document)
            throw Failed("Update argument must be either an object or an array");
        if (document.ElementCount == 0 || document.GetElement(0).Name[0] != '$')
        {
            if (document.Any(e => e.Name.StartsWith('$')))
                throw new MongoCommandException(MongoErrorCode.DollarPrefixedFieldName,
                    "The dollar ($) prefixed field is not allowed in the context of an update's replacement document.");
            return new UpdateProgram(document, null);
        }

        var program = new UpdateProgram(null, null);
        foreach (BsonElement element in document)
        {
            if (!Operators.Contains(element.Name))
                throw Failed(
                    $"Unknown modifier: {element.Name}. Expected a valid update modifier or pipeline-style update specified as an array");
            if (element.Value is not BsonDocument fields)
                throw Failed($"Modifiers operate on fields but we found type {BsonTypes.Name(element.Value.BsonType)} instead.");
            foreach (BsonElement field in fields)
            {
                if (field.Name.Split('.').Any(p => p.StartsWith('$')))
                    throw new MongoCommandException(MongoErrorCode.CommandNotSupported,
                        $"The positional operator in '{field.Name}' is not supported here.");
                if (program._changes.FirstOrDefault(c => Conflicts(c.Path, field.Name)) is { Path: not null } other)
                    throw new MongoCommandException(MongoErrorCode.ConflictingUpdateOperators,
                        $"Updating the path '{field.Name}' would create a conflict at '{other.Path}'");
                program._changes.Add((element.Name, field.Name, field.Value));
            }
        }

        return program;
    }

    private static HashSet<string> Operators { get; } =
        ["$set", "$unset", "$inc", "$mul", "$min", "$max", "$rename", "$setOnInsert", "$currentDate", "$push", "$addToSet", "$pull",
            "$pullAll", "$pop", "$bit"];

    /// <summary>The document after the update; <paramref name="document"/> stays as it is.</summary>
    public BsonDocument Apply(BsonDocument document, bool isInsert)
    {
        BsonValue? id = document.GetValue("_id", null);
        BsonDocument result;
        if (_replacement is not null)
        {
            result = _replacement.DeepClone().AsBsonDocument;
            if (id is not null && !result.Contains("_id"))
                result.InsertAt(0, new BsonElement("_id", id));
        }
        else if (_pipeline is not null)
        {
            result = _pipeline.Run([document]).Single();
        }
        else
        {
            result = document.DeepClone().AsBsonDocument;
            foreach ((string name, string path, BsonValue value) in _changes)
                Change(result, name, path, value, isInsert);
        }

        if (id is not null && !isInsert && !Order.Equals(result.GetValue("_id", null), id))
            throw new MongoCommandException(MongoErrorCode.ImmutableField,
                $"Performing an update on the path '_id' would modify the immutable field '_id'");
        return result;
    }

    /// <summary>The document that an upsert starts from: what the filter says by equality.</summary>
    public static BsonDocument Seed(BsonDocument filter)
    {
        var seed = new BsonDocument();
        foreach (BsonElement element in filter)
        {
            if (element.Name == "$and")
            {
                foreach (BsonDocument clause in element.Value.AsBsonArray.OfType<BsonDocument>())
                    seed.Merge(Seed(clause));
            }
            else if (!element.Name.StartsWith('$') && element.Value is not BsonRegularExpression)
            {
                if (element.Value is BsonDocument { ElementCount: > 0 } operators && operators.GetElement(0).Name[0] == '$')
                {
                    if (operators.TryGetValue("$eq", out BsonValue equal))
                        DocumentPath.Set(seed, element.Name, equal);
                }
                else
                {
                    DocumentPath.Set(seed, element.Name, element.Value);
                }
            }
        }

        return seed;
    }

    private static MongoCommandException Failed(string message) => new(MongoErrorCode.FailedToParse, message);

    private static bool Conflicts(string? one, string other) =>
        one is not null && (one == other
            || one.StartsWith(other + ".", StringComparison.Ordinal)
            || other.StartsWith(one + ".", StringComparison.Ordinal));

    private static void Change(BsonDocument document, string name, string path, BsonValue value, bool isInsert)
    {
        BsonValue? present = DocumentPath.Get(document, path);
        switch (name)
        {
            case "$set":
                DocumentPath.Set(document, path, value);
                break;
            case "$setOnInsert":
                if (isInsert)
                    DocumentPath.Set(document, path, value);
                break;
            case "$unset":
                DocumentPath.Remove(document, path);
                break;
            case "$inc" or "$mul":
                if (!value.IsNumeric)
                    throw new MongoCommandException(MongoErrorCode.TypeMismatch,
                        $"Cannot {(name == "$inc" ? "increment" : "multiply")} with non-numeric argument: {{{path}: {value}}}");
                if (present is not null && !present.IsNumeric)
                    throw new MongoCommandException(MongoErrorCode.TypeMismatch,
                        $"Cannot apply {name} to a value of non-numeric type. {{_id: {document.GetValue("_id", BsonNull.Value)}}} has the "
                            + $"field '{path}' of non-numeric type {BsonTypes.Name(present.BsonType)}");
                BsonValue result = name == "$inc"
                    ? Arithmetic.Add(present ?? new BsonInt32(0), value)
                    : Arithmetic.Multiply(present ?? new BsonInt32(0), value);
                if (result.BsonType == BsonType.Double
                    && BsonValueComparer.IsInteger(value)
                    && (present is null || BsonValueComparer.IsInteger(present)))
                    throw new MongoCommandException(MongoErrorCode.BadValue,
                        $"Failed to apply {name} operations to current value ({present}) for document "
                            + $"{{_id: {document.GetValue("_id", BsonNull.Value)}}}");
                DocumentPath.Set(document, path, present is null && name == "$inc" ? value : result);
                break;
            case "$min" or "$max":
                if (present is null || Order.Compare(value, present) * (name == "$min" ? -1 : 1) > 0)
                    DocumentPath.Set(document, path, value);
                break;
            case "$rename":
                if (present is not null)
                {
                    DocumentPath.Remove(document, path);
                    DocumentPath.Set(document, value.AsString, present);
                }

                break;
            case "$currentDate":
                DocumentPath.Set(document, path, new BsonDateTime(TimeProvider.System.GetUtcNow().UtcDateTime));
                break;
            default:
                ChangeArray(document, name, path, value, present);
                break;
        }
    }

    private static void ChangeArray(BsonDocument document, string name, string path, BsonValue value, BsonValue? present)
    {
        if (name == "$bit")
            throw new MongoCommandException(MongoErrorCode.CommandNotSupported, "$bit is not supported here.");
        if (present is not (null or BsonArray))
            throw new MongoCommandException(MongoErrorCode.BadValue,
                $"The field '{path}' must be an array but is of type {BsonTypes.Name(present.BsonType)} in document "
                    + $"{{_id: {document.GetValue("_id", BsonNull.Value)}}}");
        BsonArray array = present is BsonArray existing ? [.. existing] : [];
        switch (name)
        {
            case "$push" or "$addToSet":
                bool modified = value is BsonDocument { ElementCount: > 0 } modifiers && modifiers.Contains("$each");
                IEnumerable<BsonValue> added = modified ? value["$each"].AsBsonArray : [value];
                if (name == "$addToSet")
                    added = added.Where(v => !array.Contains(v, Order)).Distinct(Order).ToArray();
                int position = modified && value.AsBsonDocument.TryGetValue("$position", out BsonValue p)
                    ? Math.Min(p.ToInt32(), array.Count)
                    : array.Count;
                foreach (BsonValue one in added.Reverse())
                    array.Insert(position, one);
                if (modified && value.AsBsonDocument.TryGetValue("$sort", out BsonValue sort))
                    array = new BsonArray(sort is BsonDocument by
                        ? array.OrderBy(v => v.AsBsonDocument, SortPattern.Parse(by))
                        : sort.ToInt32() > 0
                        ? array.Order(Order)
                        : array.OrderDescending(Order));
                if (modified && value.AsBsonDocument.TryGetValue("$slice", out BsonValue slice))
                    array = new BsonArray(slice.ToInt32() >= 0 ? array.Take(slice.ToInt32()) : array.TakeLast(-slice.ToInt32()));
                break;
            case "$pull":
                Func<BsonValue, bool> pulled = Matcher.ParseItem(value);
                array = new BsonArray(array.Where(v => !pulled(v)));
                break;
            case "$pullAll":
                array = new BsonArray(array.Where(v => !value.AsBsonArray.Contains(v, Order)));
                break;
            default:
                if (array.Count > 0)
                    array.RemoveAt(value.ToInt32() < 0 ? 0 : array.Count - 1);
                break;
        }

        if (present is not null || array.Count > 0)
            DocumentPath.Set(document, path, array);
    }
}
