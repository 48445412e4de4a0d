using System.Globalization;
using MongoDB.Bson;
using static KafkaEventSourcing.Embedded.MongoDB.Query.Expression;

namespace KafkaEventSourcing.Embedded.MongoDB.Query;

/// <summary>Expressions over strings, and conversions.</summary>
internal static class TextExpressions
{
    public static Expression? Parse(string name, BsonValue value)
    {
        switch (name)
        {
            case "$concat":
                return Fold(value, (a, b) =>
                    b.IsString ? a.AsString + b.AsString : throw Bad($"$concat only supports strings, not {BsonTypes.Name(b.BsonType)}"),
                    "");
            case "$toUpper":
                return Unary(name, value, v => Conversion.Convert(v, "string").AsString.ToUpperInvariant());
            case "$toLower":
                return Unary(name, value, v => Conversion.Convert(v, "string").AsString.ToLowerInvariant());
            case "$strLenCP":
                return Unary(name, value, v => new BsonInt32(new StringInfo(v.AsString).LengthInTextElements));
            case "$substr" or "$substrCP" or "$substrBytes":
                Expression[] parts = Arguments(name, value, 3);
                return new Expression(c =>
                {
                    BsonValue? text = parts[0].Evaluate(c);
                    if (IsNull(text))
                        return "";
                    string plain = Conversion.Convert(text!, "string").AsString;
                    int from = Math.Min(parts[1].Evaluate(c)!.ToInt32(), plain.Length);
                    int length = parts[2].Evaluate(c)!.ToInt32();
                    return length < 0 || from + length > plain.Length ? plain[from..] : plain.Substring(from, length);
                });
            case "$split":
                return Binary(name, value, (a, b) => new BsonArray(a.AsString.Split(b.AsString)));
            case "$trim":
                Expression input = Expression.Parse(value["input"]);
                return new Expression(c => input.Evaluate(c) is { IsString: true } v ? v.AsString.Trim() : BsonNull.Value);
            case "$indexOfCP":
                return Binary(name, value, (a, b) => new BsonInt32(a.AsString.IndexOf(b.AsString, StringComparison.Ordinal)));
            case "$regexMatch":
                Expression subject = Expression.Parse(value["input"]);
                Matcher regex = Matcher.Parse(new BsonDocument("v",
                    new BsonDocument
                    {
                        { "$regex", value["regex"] },
                        { "$options", value.AsBsonDocument.GetValue("options", (value["regex"] as BsonRegularExpression)?.Options ?? "") },
                    }));
                return new Expression(c => (BsonBoolean)(subject.Evaluate(c) is { } v && regex.Matches(new BsonDocument("v", v))));
            case "$toString":
                return Unary(name, value, v => Conversion.Convert(v, "string"));
            case "$toInt":
                return Unary(name, value, v => Conversion.Convert(v, "int"));
            case "$toLong":
                return Unary(name, value, v => Conversion.Convert(v, "long"));
            case "$toDouble":
                return Unary(name, value, v => Conversion.Convert(v, "double"));
            case "$toDecimal":
                return Unary(name, value, v => Conversion.Convert(v, "decimal"));
            case "$toBool":
                return Unary(name, value, v => (BsonBoolean)IsTrue(v));
            case "$toDate":
                return Unary(name, value, v => Conversion.Convert(v, "date"));
            case "$type":
                Expression typed = Arguments(name, value, 1)[0];
                return new Expression(c => typed.Evaluate(c) is { } v ? BsonTypes.Name(v.BsonType) : "missing");
            default:
                return null;
        }
    }
}
