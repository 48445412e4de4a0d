using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Query;

/// <summary>What an expression sees: the document, and variables.</summary>
internal sealed class ExpressionContext(BsonDocument root, Dictionary<string, BsonValue?>? variables = null)
{
    public BsonDocument Root => root;

    public BsonValue? Variable(string name) => name switch
    {
        "ROOT" or "CURRENT" => root,
        "REMOVE" => null,
        "NOW" => new BsonDateTime(TimeProvider.System.GetUtcNow().UtcDateTime),
        _ => variables is not null && variables.TryGetValue(name, out BsonValue? value)
            ? value
            : throw new MongoCommandException(MongoErrorCode.BadValue, $"Use of undefined variable: {name}"),
    };

    public ExpressionContext With(string name, BsonValue? value) =>
        new(root, new Dictionary<string, BsonValue?>(variables ?? []) { [name] = value });
}

/// <summary>A compiled aggregation expression. Its value is null where it is "missing".</summary>
internal sealed class Expression
{
    private readonly Func<ExpressionContext, BsonValue?> _evaluate;

    internal Expression(Func<ExpressionContext, BsonValue?> evaluate) => _evaluate = evaluate;

    public BsonValue? Evaluate(ExpressionContext context)
    {
        Commands.Operation.Check();
        return _evaluate(context);
    }

    public static bool IsTrue(BsonValue? value) => value switch
    {
        null or BsonNull or BsonUndefined => false,
        BsonBoolean boolean => boolean.Value,
        { IsNumeric: true } number =>
            number.BsonType == BsonType.Decimal128 ? number.AsDecimal128 != Decimal128.Zero : number.ToDouble() != 0,
        _ => true,
    };

    /// <summary>Compiles an expression.</summary>
    /// <exception cref="MongoCommandException">An operator is unknown or misused.</exception>
    public static Expression Parse(BsonValue value)
    {
        switch (value)
        {
            case BsonString { Value: ['$', '$', ..] } variable:
                string[] parts = variable.Value[2..].Split('.', 2);
                return parts.Length == 1
                    ? new Expression(c => c.Variable(parts[0]))
                    : new Expression(c => c.Variable(parts[0]) is { } found ? DocumentPath.Evaluate(found, parts[1]) : null);
            case BsonString { Value: ['$', ..] } path:
                string field = path.Value[1..];
                if (field.Length == 0)
                    throw new MongoCommandException(MongoErrorCode.BadValue, "'$' by itself is not a valid FieldPath");
                return new Expression(c => DocumentPath.Evaluate(c.Root, field));
            case BsonArray array:
                Expression[] items = [.. array.Select(Parse)];
                return new Expression(c => new BsonArray(items.Select(i => i.Evaluate(c) ?? BsonNull.Value)));
            case BsonDocument { ElementCount: 1 } call when call.GetElement(0).Name[0] == '$':
                return ParseCall(call.GetElement(0).Name, call.GetElement(0).Value);
            case BsonDocument document:
                (string Name, Expression Value)[] fields =
                    [.. document.Select(e => e.Name[0] == '$' ? throw Unknown(e.Name) : (e.Name, Parse(e.Value)))];
                return new Expression(c =>
                {
                    var result = new BsonDocument();
                    foreach ((string name, Expression expression) in fields)
                    {
                        if (expression.Evaluate(c) is { } computed)
                            result[name] = computed;
                    }

                    return result;
                });
            default:
                return new Expression(_ => value);
        }
    }

    internal static MongoCommandException Unknown(string name) =>
        new(MongoErrorCode.InvalidPipelineOperator, $"Unrecognized expression '{name}'");

    internal static MongoCommandException Bad(string message) => new(MongoErrorCode.BadValue, message);

    internal static bool IsNull(BsonValue? value) => value is null or BsonNull or BsonUndefined;

    internal static Expression[] Arguments(BsonValue value) => value is BsonArray array ? [.. array.Select(Parse)] : [Parse(value)];

    internal static Expression[] Arguments(string name, BsonValue value, int count)
    {
        Expression[] arguments = Arguments(value);
        return arguments.Length == count
            ? arguments
            : throw Bad($"Expression {name} takes exactly {count} arguments. {arguments.Length} were passed in.");
    }

    internal static Expression Unary(string name, BsonValue value, Func<BsonValue, BsonValue?> apply)
    {
        Expression argument = Arguments(name, value, 1)[0];
        return new Expression(c => argument.Evaluate(c) is { } v && !IsNull(v) ? apply(v) : BsonNull.Value);
    }

    internal static Expression Binary(string name, BsonValue value, Func<BsonValue, BsonValue, BsonValue?> apply)
    {
        Expression[] arguments = Arguments(name, value, 2);
        return new Expression(c =>
        {
            BsonValue? left = arguments[0].Evaluate(c);
            BsonValue? right = arguments[1].Evaluate(c);
            return IsNull(left) || IsNull(right) ? BsonNull.Value : apply(left!, right!);
        });
    }

    internal static Expression Fold(BsonValue value, Func<BsonValue, BsonValue, BsonValue> apply, BsonValue start)
    {
        Expression[] arguments = Arguments(value);
        return new Expression(c =>
        {
            BsonValue result = start;
            foreach (Expression argument in arguments)
            {
                BsonValue? next = argument.Evaluate(c);
                if (IsNull(next))
                    return BsonNull.Value;
                result = apply(result, next!);
            }

            return result;
        });
    }

    private static Expression Compare(string name, BsonValue value, Func<int, BsonValue> verdict)
    {
        Expression[] arguments = Arguments(name, value, 2);
        return new Expression(c =>
        {
            BsonValue? left = arguments[0].Evaluate(c);
            BsonValue? right = arguments[1].Evaluate(c);
            // Missing is less than everything, null too.
            int order = left is null || right is null
                ? (left is null ? 0 : 1) - (right is null ? 0 : 1)
                : BsonValueComparer.Instance.Compare(left, right);
            return verdict(order);
        });
    }

    private static Expression ParseCall(string name, BsonValue value)
    {
        switch (name)
        {
            case "$literal":
                return new Expression(_ => value);
            case "$add":
                return Fold(value, Arithmetic.Add, new BsonInt32(0));
            case "$multiply":
                return Fold(value, Arithmetic.Multiply, new BsonInt32(1));
            case "$subtract":
                return Binary(name, value, Arithmetic.Subtract);
            case "$divide":
                return Binary(name, value, Arithmetic.Divide);
            case "$mod":
                return Binary(name, value, Arithmetic.Mod);
            case "$abs":
                return Unary(name, value, v => Arithmetic.Compare(v, new BsonInt32(0)) < 0 ? Arithmetic.Subtract(new BsonInt32(0), v) : v);
            case "$floor":
                return Unary(name, value, v => Arithmetic.Round(v, Math.Floor, decimal.Floor));
            case "$ceil":
                return Unary(name, value, v => Arithmetic.Round(v, Math.Ceiling, decimal.Ceiling));
            case "$trunc":
                return Unary(name, value, v => Arithmetic.Round(v, Math.Truncate, decimal.Truncate));
            case "$round":
                Expression[] rounding = Arguments(value);
                return new Expression(c =>
                {
                    BsonValue? v = rounding[0].Evaluate(c);
                    int places = rounding.Length > 1 ? rounding[1].Evaluate(c)!.ToInt32() : 0;
                    return IsNull(v)
                        ? BsonNull.Value
                        : Arithmetic.Round(v!, d => Math.Round(d, places, MidpointRounding.ToEven),
                            d => decimal.Round(d, places, MidpointRounding.ToEven));
                });
            case "$sqrt":
                return Unary(name, value, v => new BsonDouble(Math.Sqrt(v.ToDouble())));
            case "$pow":
                return Binary(name, value, (a, b) => new BsonDouble(Math.Pow(a.ToDouble(), b.ToDouble())));
            case "$eq":
                return Compare(name, value, o => o == 0);
            case "$ne":
                return Compare(name, value, o => o != 0);
            case "$gt":
                return Compare(name, value, o => o > 0);
            case "$gte":
                return Compare(name, value, o => o >= 0);
            case "$lt":
                return Compare(name, value, o => o < 0);
            case "$lte":
                return Compare(name, value, o => o <= 0);
            case "$cmp":
                return Compare(name, value, o => new BsonInt32(Math.Sign(o)));
            case "$and":
                Expression[] all = Arguments(value);
                return new Expression(c => (BsonBoolean)Array.TrueForAll(all, a => IsTrue(a.Evaluate(c))));
            case "$or":
                Expression[] any = Arguments(value);
                return new Expression(c => (BsonBoolean)Array.Exists(any, a => IsTrue(a.Evaluate(c))));
            case "$not":
                Expression negated = Arguments(name, value, 1)[0];
                return new Expression(c => (BsonBoolean)!IsTrue(negated.Evaluate(c)));
            case "$cond":
                Expression[] cond = value is BsonDocument named
                    ? [Parse(named["if"]), Parse(named["then"]), Parse(named["else"])]
                    : Arguments(name, value, 3);
                return new Expression(c => IsTrue(cond[0].Evaluate(c)) ? cond[1].Evaluate(c) : cond[2].Evaluate(c));
            case "$ifNull":
                Expression[] choices = Arguments(value);
                return new Expression(c =>
                {
                    for (int i = 0; i < choices.Length - 1; i++)
                    {
                        if (choices[i].Evaluate(c) is { } v && !IsNull(v))
                            return v;
                    }

                    return choices[^1].Evaluate(c);
                });
            case "$switch":
                (Expression Case, Expression Then)[] branches =
                    [.. value["branches"].AsBsonArray.Select(b => (Parse(b["case"]), Parse(b["then"])))];
                Expression? otherwise = value.AsBsonDocument.TryGetValue("default", out BsonValue d) ? Parse(d) : null;
                return new Expression(c =>
                {
                    foreach ((Expression when, Expression then) in branches)
                    {
                        if (IsTrue(when.Evaluate(c)))
                            return then.Evaluate(c);
                    }

                    return otherwise is not null
                        ? otherwise.Evaluate(c)
                        : throw Bad("$switch could not find a matching branch for an input, and no default was specified.");
                });
            case "$let":
                (string Name, Expression Value)[] vars = [.. value["vars"].AsBsonDocument.Select(v => (v.Name, Parse(v.Value)))];
                Expression body = Parse(value["in"]);
                return new Expression(c => body.Evaluate(vars.Aggregate(c, (inner, v) => inner.With(v.Name, v.Value.Evaluate(c)))));
            default:
                return TextExpressions.Parse(name, value)
                    ?? DateExpressions.Parse(name, value)
                    ?? CollectionExpressions.Parse(name, value)
                    ?? throw Unknown(name);
        }
    }
}
