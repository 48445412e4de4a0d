using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Query;

/// <summary>
/// MongoDB's order of values over all types ("Comparison/Sort Order"); numbers are compared by value whatever their type.
/// </summary>
internal sealed class BsonValueComparer : IComparer<BsonValue>, IEqualityComparer<BsonValue>
{
    public static BsonValueComparer Instance { get; } = new();

    public int Compare(BsonValue? x, BsonValue? y)
    {
        x ??= BsonNull.Value;
        y ??= BsonNull.Value;
        int left = Rank(x);
        int right = Rank(y);
        if (left != right)
            return left.CompareTo(right);
        switch (x.BsonType)
        {
            case BsonType.Int32 or BsonType.Int64 or BsonType.Double or BsonType.Decimal128:
                return CompareNumbers(x, y);
            case BsonType.String or BsonType.Symbol:
                return string.CompareOrdinal(Text(x), Text(y));
            case BsonType.Document:
                return CompareDocuments(x.AsBsonDocument, y.AsBsonDocument);
            case BsonType.Array:
                return CompareArrays(x.AsBsonArray, y.AsBsonArray);
            default:
                return x.CompareTo(y);
        }
    }

    public bool Equals(BsonValue? x, BsonValue? y) => Compare(x, y) == 0;

    public int GetHashCode(BsonValue obj) => obj.BsonType switch
    {
        BsonType.Int32 or BsonType.Int64 or BsonType.Double or BsonType.Decimal128 => ToDouble(obj).GetHashCode(),
        BsonType.Document => obj.AsBsonDocument.Aggregate(17, (hash, e) => HashCode.Combine(hash, e.Name, GetHashCode(e.Value))),
        BsonType.Array => obj.AsBsonArray.Aggregate(19, (hash, e) => HashCode.Combine(hash, GetHashCode(e))),
        _ => obj.GetHashCode(),
    };

    /// <summary>The place of the value's type in the order.</summary>
    public static int Rank(BsonValue value) => Rank(value.BsonType);

    public static int Rank(BsonType type) => type switch
    {
        BsonType.MinKey => 0,
        BsonType.Undefined or BsonType.Null => 5,
        BsonType.Int32 or BsonType.Int64 or BsonType.Double or BsonType.Decimal128 => 10,
        BsonType.String or BsonType.Symbol => 15,
        BsonType.Document => 20,
        BsonType.Array => 25,
        BsonType.Binary => 30,
        BsonType.ObjectId => 35,
        BsonType.Boolean => 40,
        BsonType.DateTime => 45,
        BsonType.Timestamp => 47,
        BsonType.RegularExpression => 50,
        BsonType.JavaScript or BsonType.JavaScriptWithScope => 55,
        _ => 127,
    };

    public static int CompareNumbers(BsonValue x, BsonValue y)
    {
        if (IsInteger(x) && IsInteger(y))
            return x.ToInt64().CompareTo(y.ToInt64());
        if (x.BsonType == BsonType.Decimal128 || y.BsonType == BsonType.Decimal128)
        {
            Decimal128 a = ToDecimal(x);
            Decimal128 b = ToDecimal(y);
            return a.CompareTo(b);
        }

        // A long and a double: compared exactly, beyond 2^53 too.
        if (x.BsonType == BsonType.Int64 && y.BsonType == BsonType.Double)
            return CompareExactly(x.AsInt64, y.AsDouble);
        if (x.BsonType == BsonType.Double && y.BsonType == BsonType.Int64)
            return -CompareExactly(y.AsInt64, x.AsDouble);
        return x.ToDouble().CompareTo(y.ToDouble());
    }

    public static bool IsInteger(BsonValue value) => value.BsonType is BsonType.Int32 or BsonType.Int64;

    public static Decimal128 ToDecimal(BsonValue value) => value.BsonType switch
    {
        BsonType.Decimal128 => value.AsDecimal128,
        BsonType.Double when double.IsNaN(value.AsDouble) => Decimal128.QNaN,
        BsonType.Double when double.IsInfinity(value.AsDouble) =>
            value.AsDouble > 0 ? Decimal128.PositiveInfinity : Decimal128.NegativeInfinity,
        BsonType.Double => Decimal128.Parse(value.AsDouble.ToString("R", System.Globalization.CultureInfo.InvariantCulture)),
        _ => new Decimal128(value.ToInt64()),
    };

    private static double ToDouble(BsonValue value) =>
        value.BsonType == BsonType.Decimal128 ? Decimal128.ToDouble(value.AsDecimal128) : value.ToDouble();

    private static string Text(BsonValue value) => value is BsonSymbol symbol ? symbol.Name : value.AsString;

    private static int CompareExactly(long left, double right)
    {
        if (double.IsNaN(right) || right < long.MinValue)
            return 1;
        if (right >= 9223372036854775808d)
            return -1;
        long whole = (long)right;
        return left != whole ? left.CompareTo(whole) : 0d.CompareTo(right - whole);
    }

    private int CompareDocuments(BsonDocument x, BsonDocument y)
    {
        for (int i = 0; i < x.ElementCount && i < y.ElementCount; i++)
        {
            BsonElement a = x.GetElement(i);
            BsonElement b = y.GetElement(i);
            int order = Rank(a.Value).CompareTo(Rank(b.Value));
            if (order == 0)
                order = string.CompareOrdinal(a.Name, b.Name);
            if (order == 0)
                order = Compare(a.Value, b.Value);
            if (order != 0)
                return order;
        }

        return x.ElementCount.CompareTo(y.ElementCount);
    }

    private int CompareArrays(BsonArray x, BsonArray y)
    {
        for (int i = 0; i < x.Count && i < y.Count; i++)
        {
            int order = Compare(x[i], y[i]);
            if (order != 0)
                return order;
        }

        return x.Count.CompareTo(y.Count);
    }
}
