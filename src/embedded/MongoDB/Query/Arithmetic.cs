using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Query;

/// <summary>MongoDB's arithmetic: int32 grows to int64 and int64 to double; decimals stay decimals; sums of integers are exact.</summary>
internal static class Arithmetic
{
    public static BsonValue Add(BsonValue left, BsonValue right)
    {
        if (left is BsonDateTime date && right.IsNumeric)
            return new BsonDateTime(date.MillisecondsSinceEpoch + right.ToInt64());
        if (right is BsonDateTime other && left.IsNumeric)
            return new BsonDateTime(other.MillisecondsSinceEpoch + left.ToInt64());
        return Apply("$add", left, right, (a, b) => (Int128)a + b, (a, b) => a + b, decimal.Add);
    }

    public static BsonValue Subtract(BsonValue left, BsonValue right) => (left, right) switch
    {
        (BsonDateTime a, BsonDateTime b) => new BsonInt64(a.MillisecondsSinceEpoch - b.MillisecondsSinceEpoch),
        (BsonDateTime a, { IsNumeric: true }) => new BsonDateTime(a.MillisecondsSinceEpoch - right.ToInt64()),
        _ => Apply("$subtract", left, right, (a, b) => (Int128)a - b, (a, b) => a - b, decimal.Subtract),
    };

    public static BsonValue Multiply(BsonValue left, BsonValue right) =>
        Apply("$multiply", left, right, (a, b) => (Int128)a * b, (a, b) => a * b, decimal.Multiply);

    public static BsonValue Divide(BsonValue left, BsonValue right)
    {
        Check("$divide", left, right);
        if (Compare(right, new BsonInt32(0)) == 0)
            throw new MongoCommandException(MongoErrorCode.BadValue, "can't $divide by zero");
        return IsDecimal(left, right)
            ? new BsonDecimal128(decimal.Divide(ToDecimal(left), ToDecimal(right)))
            : new BsonDouble(left.ToDouble() / right.ToDouble());
    }

    public static BsonValue Mod(BsonValue left, BsonValue right)
    {
        Check("$mod", left, right);
        if (Compare(right, new BsonInt32(0)) == 0)
            throw new MongoCommandException(MongoErrorCode.BadValue, "can't $mod by zero");
        return Apply("$mod", left, right, (a, b) => (Int128)a % b, (a, b) => a % b, decimal.Remainder);
    }

    public static int Compare(BsonValue left, BsonValue right) => BsonValueComparer.CompareNumbers(left, right);

    public static BsonValue Round(BsonValue value, Func<double, double> round, Func<decimal, decimal> roundDecimal) => value.BsonType switch
    {
        BsonType.Int32 or BsonType.Int64 => value,
        BsonType.Decimal128 => new BsonDecimal128(roundDecimal(ToDecimal(value))),
        BsonType.Double => new BsonDouble(round(value.AsDouble)),
        _ => throw new MongoCommandException(MongoErrorCode.TypeMismatch,
            $"only numbers can be rounded, not {BsonTypes.Name(value.BsonType)}"),
    };

    private static BsonValue Apply(string name, BsonValue left, BsonValue right, Func<long, long, Int128> whole,
        Func<double, double, double> real, Func<decimal, decimal, decimal> exact)
    {
        Check(name, left, right);
        if (IsDecimal(left, right))
            return new BsonDecimal128(exact(ToDecimal(left), ToDecimal(right)));
        if (!BsonValueComparer.IsInteger(left) || !BsonValueComparer.IsInteger(right))
            return new BsonDouble(real(left.ToDouble(), right.ToDouble()));
        Int128 result = whole(left.ToInt64(), right.ToInt64());
        if (left.BsonType == BsonType.Int32 && right.BsonType == BsonType.Int32 && result >= int.MinValue && result <= int.MaxValue)
            return new BsonInt32((int)result);
        return result >= long.MinValue && result <= long.MaxValue
            ? new BsonInt64((long)result)
            : new BsonDouble(real(left.ToDouble(), right.ToDouble()));
    }

    private static void Check(string name, BsonValue left, BsonValue right)
    {
        if (!left.IsNumeric || !right.IsNumeric)
            throw new MongoCommandException(MongoErrorCode.TypeMismatch,
                $"{name} only supports numeric or date types, not {BsonTypes.Name((left.IsNumeric ? right : left).BsonType)}");
    }

    private static bool IsDecimal(BsonValue left, BsonValue right) =>
        left.BsonType == BsonType.Decimal128 || right.BsonType == BsonType.Decimal128;

    private static decimal ToDecimal(BsonValue value)
    {
        try
        {
            return Decimal128.ToDecimal(BsonValueComparer.ToDecimal(value));
        }
        catch (OverflowException)
        {
            throw new MongoCommandException(MongoErrorCode.CommandNotSupported,
                $"The decimal {value} has more digits than are supported here (28).");
        }
    }
}
