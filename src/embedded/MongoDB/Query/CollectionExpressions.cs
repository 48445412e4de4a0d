using MongoDB.Bson;
using static KafkaEventSourcing.Embedded.MongoDB.Query.Expression;

namespace KafkaEventSourcing.Embedded.MongoDB.Query;

/// <summary>Expressions over arrays and documents.</summary>
internal static class CollectionExpressions
{
    public static Expression? Parse(string name, BsonValue value)
    {
        switch (name)
        {
            case "$size":
                Expression sized = Arguments(name, value, 1)[0];
                return new Expression(c =>
                    sized.Evaluate(c) is BsonArray array
                        ? new BsonInt32(array.Count)
                        : throw Bad("The argument to $size must be an array"));
            case "$arrayElemAt":
                return Binary(name, value, (a, b) => At(a.AsBsonArray, b.ToInt32()));
            case "$first":
                return Unary(name, value, v => At(v.AsBsonArray, 0));
            case "$last":
                return Unary(name, value, v => At(v.AsBsonArray, -1));
            case "$in":
                Expression[] sought = Arguments(name, value, 2);
                return new Expression(c => (BsonBoolean)(sought[1].Evaluate(c) is BsonArray array
                    ? array.Any(v => BsonValueComparer.Instance.Equals(v, sought[0].Evaluate(c)))
                    : throw Bad("$in requires an array as a second argument")));
            case "$isArray":
                Expression tested = Arguments(name, value, 1)[0];
                return new Expression(c => (BsonBoolean)(tested.Evaluate(c) is BsonArray));
            case "$concatArrays":
                return Fold(value, (a, b) => new BsonArray(a.AsBsonArray.Concat(b.AsBsonArray)), new BsonArray());
            case "$slice":
                Expression[] slice = Arguments(value);
                return new Expression(c =>
                {
                    if (slice[0].Evaluate(c) is not BsonArray array)
                        return BsonNull.Value;
                    int first = slice[1].Evaluate(c)!.ToInt32();
                    if (slice.Length == 2)
                        return new BsonArray(first >= 0 ? array.Take(first) : array.TakeLast(-first));
                    return new BsonArray(array.Skip(first < 0 ? Math.Max(0, array.Count + first) : first).Take(
                        slice[2].Evaluate(c)!.ToInt32()));
                });
            case "$range":
                Expression[] range = Arguments(value);
                return new Expression(c =>
                {
                    (int start, int end, int step) = (range[0].Evaluate(c)!.ToInt32(), range[1].Evaluate(c)!.ToInt32(),
                        range.Length > 2 ? range[2].Evaluate(c)!.ToInt32() : 1);
                    if (step == 0)
                        throw Bad("$range requires a non-zero step value");
                    var numbers = new BsonArray();
                    for (long i = start; step > 0 ? i < end : i > end; i += step)
                    {
                        Commands.Operation.Check();
                        numbers.Add((int)i);
                    }

                    return numbers;
                });
            case "$filter":
            case "$map":
                Expression input = Expression.Parse(value["input"]);
                string item = value.AsBsonDocument.GetValue("as", "this").AsString;
                Expression each = Expression.Parse(value[name == "$map" ? "in" : "cond"]);
                return new Expression(c => input.Evaluate(c) is not BsonArray array ? BsonNull.Value
                    : name == "$map" ? new BsonArray(array.Select(v => each.Evaluate(c.With(item, v)) ?? BsonNull.Value))
                    : new BsonArray(array.Where(v => IsTrue(each.Evaluate(c.With(item, v))))));
            case "$reduce":
                Expression reduced = Expression.Parse(value["input"]);
                Expression initial = Expression.Parse(value["initialValue"]);
                Expression combine = Expression.Parse(value["in"]);
                return new Expression(c => reduced.Evaluate(c) is BsonArray array
                    ? array.Aggregate(initial.Evaluate(c), (sofar, v) => combine.Evaluate(c.With("value", sofar).With("this", v)))
                    : BsonNull.Value);
            case "$sum" or "$avg" or "$min" or "$max":
                Expression[] operands = Arguments(value);
                return new Expression(c =>
                {
                    Accumulator accumulator = Accumulator.Create(name);
                    IEnumerable<BsonValue?> values = operands.Select(o => o.Evaluate(c));
                    if (operands.Length == 1 && operands[0].Evaluate(c) is BsonArray only)
                        values = only;
                    foreach (BsonValue? v in values)
                        accumulator.Add(v);
                    return accumulator.Result;
                });
            case "$mergeObjects":
                return Fold(value, (a, b) => a.AsBsonDocument.Merge(b.AsBsonDocument, overwriteExistingElements: true), new BsonDocument());
            case "$objectToArray":
                return Unary(name, value,
                    v => new BsonArray(v.AsBsonDocument.Select(e => new BsonDocument { { "k", e.Name }, { "v", e.Value } })));
            case "$arrayToObject":
                return Unary(name, value, v =>
                    new BsonDocument(v.AsBsonArray.Select(e =>
                        e is BsonArray pair ? new BsonElement(pair[0].AsString, pair[1]) : new BsonElement(e["k"].AsString, e["v"]))));
            case "$getField":
                string field = value is BsonDocument named ? named["field"].AsString : value.AsString;
                Expression owner = value is BsonDocument withInput && withInput.Contains("input")
                    ? Expression.Parse(withInput["input"])
                    : new Expression(c => c.Root);
                return new Expression(c =>
                    owner.Evaluate(c) is BsonDocument document && document.TryGetValue(field, out BsonValue found) ? found : null);
            default:
                return null;
        }
    }

    private static BsonValue? At(BsonArray array, int index)
    {
        int at = index < 0 ? array.Count + index : index;
        return at >= 0 && at < array.Count ? array[at] : null;
    }
}
