using System.Text.RegularExpressions;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Query;

/// <summary>A condition on one field that an index may serve.</summary>
internal readonly record struct FieldBound(string Path, string Operator, BsonValue Value);

/// <summary>A compiled query filter.</summary>
internal sealed class Matcher
{
    private static readonly BsonValueComparer Order = BsonValueComparer.Instance;

    private readonly Func<BsonDocument, bool> _predicate;

    private Matcher(Func<BsonDocument, bool> predicate, List<FieldBound> bounds) => (_predicate, Bounds) = (predicate, bounds);

    /// <summary>Conditions that every match fulfils, for the choice of an index.</summary>
    public IReadOnlyList<FieldBound> Bounds { get; }

    /// <summary>Compiles a filter.</summary>
    /// <exception cref="MongoCommandException">An operator is unknown or misused.</exception>
    public static Matcher Parse(BsonDocument filter)
    {
        var bounds = new List<FieldBound>();
        return new Matcher(ParseDocument(filter, bounds), bounds);
    }

    public bool Matches(BsonDocument document) => _predicate(document);

    /// <summary>Compiles the operators of one value, as <c>$elemMatch</c> and <c>$pull</c> apply them to array items.</summary>
    public static Func<BsonValue, bool> ParseItem(BsonValue condition)
    {
        if (condition is BsonDocument operators
            && operators.ElementCount > 0
            && operators.GetElement(0).Name[0] == '$'
            && operators.GetElement(0).Name is not ("$and" or "$or" or "$nor"))
        {
            Func<BsonDocument, bool> onField = ParseField("v", operators, []);
            return item => onField(new BsonDocument("v", item));
        }

        if (condition is BsonDocument fields)
        {
            Func<BsonDocument, bool> onDocument = ParseDocument(fields, []);
            return item => item is BsonDocument document && onDocument(document);
        }

        return item => Order.Equals(item, condition);
    }

    private static MongoCommandException Bad(string message) => new(MongoErrorCode.BadValue, message);

    private static Func<BsonDocument, bool> ParseDocument(BsonDocument filter, List<FieldBound> bounds)
    {
        var parts = new List<Func<BsonDocument, bool>>();
        foreach (BsonElement element in filter)
            parts.Add(element.Name.StartsWith('$') ? ParseLogical(element, bounds) : ParseField(element.Name, element.Value, bounds));
        return parts.Count switch
        {
            0 => _ => true,
            1 => parts[0],
            _ => document => parts.TrueForAll(p => p(document)),
        };
    }

    private static Func<BsonDocument, bool> ParseLogical(BsonElement element, List<FieldBound> bounds)
    {
        switch (element.Name)
        {
            case "$and":
                Func<BsonDocument, bool>[] all = [.. Clauses(element).Select(c => ParseDocument(c, bounds))];
                return d => Array.TrueForAll(all, p => p(d));
            case "$or":
                Func<BsonDocument, bool>[] any = [.. Clauses(element).Select(c => ParseDocument(c, []))];
                return d => Array.Exists(any, p => p(d));
            case "$nor":
                Func<BsonDocument, bool>[] none = [.. Clauses(element).Select(c => ParseDocument(c, []))];
                return d => !Array.Exists(none, p => p(d));
            case "$expr":
                Expression expression = Expression.Parse(element.Value);
                return d => Expression.IsTrue(expression.Evaluate(new ExpressionContext(d)));
            case "$comment":
                return _ => true;
            default:
                throw Bad($"unknown top level operator: {element.Name}. If you have a field name that starts with a '$' symbol, consider "
                    + $"using $getField or $setField.");
        }
    }

    private static IEnumerable<BsonDocument> Clauses(BsonElement element)
    {
        if (element.Value is not BsonArray { Count: > 0 } clauses)
            throw Bad($"{element.Name} must be a nonempty array");
        return clauses.Select(c => c as BsonDocument ?? throw Bad($"{element.Name} argument's entries must be objects"));
    }

    private static Func<BsonDocument, bool> ParseField(string path, BsonValue condition, List<FieldBound> bounds)
    {
        if (condition is not BsonDocument { ElementCount: > 0 } operators
            || operators.GetElement(0).Name[0] != '$'
            || operators.GetElement(0).Name is "$ref" or "$id" or "$db")
            return condition is BsonRegularExpression regex ? ParseRegex(path, regex) : ParseComparison(path, "$eq", condition, bounds);

        var parts = new List<Func<BsonDocument, bool>>();
        foreach (BsonElement element in operators)
        {
            if (element.Name == "$options")
                continue;
            parts.Add(ParseOperator(path, element, operators, bounds));
        }

        return parts.Count == 1 ? parts[0] : d => parts.TrueForAll(p => p(d));
    }

    private static Func<BsonDocument, bool> ParseOperator(string path, BsonElement element, BsonDocument operators, List<FieldBound> bounds)
    {
        BsonValue value = element.Value;
        switch (element.Name)
        {
            case "$eq" or "$gt" or "$gte" or "$lt" or "$lte":
                return ParseComparison(path, element.Name, value, bounds);
            case "$ne":
                return Not(value is BsonRegularExpression
                    ? throw Bad("Can't have regex as arg to $ne.")
                    : ParseComparison(path, "$eq", value, []));
            case "$in":
                return ParseIn(path, value as BsonArray ?? throw Bad("$in needs an array"), bounds);
            case "$nin":
                return Not(ParseIn(path, value as BsonArray ?? throw Bad("$nin needs an array"), []));
            case "$not":
                return Not(value switch
                {
                    BsonDocument inner => ParseField(path, inner, []),
                    BsonRegularExpression regex => ParseRegex(path, regex),
                    _ => throw Bad("$not needs a regex or a document"),
                });
            case "$exists":
                bool exists = Expression.IsTrue(value);
                return d => DocumentPath.Reach(d, path).Any(v => v is not null) == exists;
            case "$type":
                HashSet<BsonType> types = [.. (value is BsonArray many ? many : [value]).SelectMany(BsonTypes.Parse)];
                return Any(path, v => v is not null && types.Contains(v.BsonType));
            case "$regex":
                string options = operators.TryGetValue("$options", out BsonValue o)
                    ? o.AsString
                    : (value as BsonRegularExpression)?.Options ?? "";
                return ParseRegex(path, new BsonRegularExpression((value as BsonRegularExpression)?.Pattern ?? value.AsString, options));
            case "$mod":
                BsonArray mod = value as BsonArray ?? throw Bad("malformed mod, needs to be an array");
                if (mod.Count != 2)
                    throw Bad("malformed mod, not enough elements");
                (long divisor, long remainder) = (mod[0].ToInt64(), mod[1].ToInt64());
                if (divisor == 0)
                    throw Bad("divisor cannot be 0");
                return Any(path, v =>
                    v is { IsNumeric: true }
                        && v.ToDouble() is var number
                        && double.IsFinite(number)
                        && (long)number % divisor == remainder);
            case "$size":
                int size = value.IsNumeric ? value.ToInt32() : throw Bad("$size needs a number");
                return d => DocumentPath.Reach(d, path).Any(v => v is BsonArray array && array.Count == size);
            case "$all":
                Func<BsonDocument, bool>[] each = [.. (value as BsonArray
                    ?? throw Bad("$all needs an array")).Select(v =>
                        v is BsonDocument document && document.Contains("$elemMatch")
                            ? ParseField(path, document, [])
                            : ParseComparison(path, "$eq", v, []))];
                return d => each.Length > 0 && Array.TrueForAll(each, p => p(d));
            case "$elemMatch":
                Func<BsonValue, bool> item = ParseItem(value as BsonDocument ?? throw Bad("$elemMatch needs an Object"));
                return d => DocumentPath.Reach(d, path).Any(v => v is BsonArray array && array.Any(item));
            default:
                throw Bad($"unknown operator: {element.Name}");
        }
    }

    private static Func<BsonDocument, bool> Not(Func<BsonDocument, bool> predicate) => d => !predicate(d);

    // A condition holds when it holds for a value that the path reaches, or for an item of an array that it reaches.
    private static Func<BsonDocument, bool> Any(string path, Func<BsonValue?, bool> holds)
    {
        bool simple = !path.Contains('.', StringComparison.Ordinal);
        return document =>
        {
            if (simple)
                return HoldsFor(document.TryGetValue(path, out BsonValue found) ? found : null, holds);
            bool reachedAny = false;
            foreach (BsonValue? reached in DocumentPath.Reach(document, path))
            {
                reachedAny = true;
                if (HoldsFor(reached, holds))
                    return true;
            }

            return !reachedAny && holds(null);
        };
    }

    private static bool HoldsFor(BsonValue? value, Func<BsonValue?, bool> holds) =>
        holds(value) || (value is BsonArray array && array.Any(holds));

    private static Func<BsonDocument, bool> ParseComparison(string path, string comparison, BsonValue value, List<FieldBound> bounds)
    {
        if (value is not (BsonArray or BsonNull or BsonRegularExpression))
            bounds.Add(new FieldBound(path, comparison, value));
        int rank = BsonValueComparer.Rank(value);
        bool isNull = value.IsBsonNull;
        return comparison switch
        {
            "$eq" => Any(path, v => v is null ? isNull : Order.Compare(v, value) == 0),
            "$gt" => Any(path, v => v is not null && BsonValueComparer.Rank(v) == rank && Order.Compare(v, value) > 0),
            "$gte" => Any(path, v => v is null ? isNull : BsonValueComparer.Rank(v) == rank && Order.Compare(v, value) >= 0),
            "$lt" => Any(path, v => v is not null && BsonValueComparer.Rank(v) == rank && Order.Compare(v, value) < 0),
            _ => Any(path, v => v is null ? isNull : BsonValueComparer.Rank(v) == rank && Order.Compare(v, value) <= 0),
        };
    }

    private static Func<BsonDocument, bool> ParseIn(string path, BsonArray values, List<FieldBound> bounds)
    {
        var exact = new HashSet<BsonValue>(values.Where(v => v is not BsonRegularExpression), Order);
        Regex[] patterns = [.. values.OfType<BsonRegularExpression>().Select(Compile)];
        bool hasNull = exact.Contains(BsonNull.Value);
        if (patterns.Length == 0 && !hasNull && values.All(v => v is not BsonArray))
            bounds.Add(new FieldBound(path, "$in", values));
        return Any(path, v => v is null ? hasNull : exact.Contains(v) || (v.IsString && patterns.Any(p => p.IsMatch(v.AsString))));
    }

    private static Func<BsonDocument, bool> ParseRegex(string path, BsonRegularExpression regex)
    {
        Regex pattern = Compile(regex);
        return Any(path, v => (v is { IsString: true } && pattern.IsMatch(v.AsString))
            || (v is BsonRegularExpression other && other.Equals(regex)));
    }

    private static Regex Compile(BsonRegularExpression regex)
    {
        RegexOptions options = RegexOptions.CultureInvariant;
        foreach (char option in regex.Options)
        {
            options |= option switch
            {
                'i' => RegexOptions.IgnoreCase,
                'm' => RegexOptions.Multiline,
                's' => RegexOptions.Singleline,
                'x' => RegexOptions.IgnorePatternWhitespace,
                _ => throw Bad($"invalid flag in regex options: {option}"),
            };
        }

        try
        {
            return new Regex(regex.Pattern, options, TimeSpan.FromSeconds(5));
        }
        catch (ArgumentException invalid)
        {
            throw Bad($"Regular expression is invalid: {invalid.Message}");
        }
    }
}

/// <summary>Types by number or alias, as <c>$type</c> takes them.</summary>
internal static class BsonTypes
{
    private static readonly Dictionary<string, BsonType> Aliases = new()
    {
        ["double"] = BsonType.Double, ["string"] = BsonType.String, ["object"] = BsonType.Document, ["array"] = BsonType.Array,
        ["binData"] = BsonType.Binary,
        ["objectId"] = BsonType.ObjectId, ["bool"] = BsonType.Boolean, ["date"] = BsonType.DateTime, ["null"] = BsonType.Null,
        ["regex"] = BsonType.RegularExpression,
        ["int"] = BsonType.Int32, ["timestamp"] = BsonType.Timestamp, ["long"] = BsonType.Int64, ["decimal"] = BsonType.Decimal128,
        ["minKey"] = BsonType.MinKey, ["maxKey"] = BsonType.MaxKey,
    };

    public static IEnumerable<BsonType> Parse(BsonValue type)
    {
        if (type.IsString)
        {
            return type.AsString == "number" ? [BsonType.Int32, BsonType.Int64, BsonType.Double, BsonType.Decimal128]
                : Aliases.TryGetValue(type.AsString, out BsonType known) ? [known]
                : throw new MongoCommandException(MongoErrorCode.BadValue, $"Unknown type name alias: {type.AsString}");
        }

        return [(BsonType)type.ToInt32()];
    }

    public static string Name(BsonType type) => Aliases.FirstOrDefault(a => a.Value == type).Key ?? "missing";
}
