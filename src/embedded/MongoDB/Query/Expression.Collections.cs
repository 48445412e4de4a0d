using System.Globalization;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Query;

/// <summary>Dates, arrays and objects.</summary>
internal sealed partial class Expression
{
    private static Expression? ParseDate(string name, BsonValue value)
    {
        Func<DateTime, int>? part = name switch
        {
            "$year" => d => d.Year,
            "$month" => d => d.Month,
            "$dayOfMonth" => d => d.Day,
            "$dayOfWeek" => d => (int)d.DayOfWeek + 1,
            "$dayOfYear" => d => d.DayOfYear,
            "$hour" => d => d.Hour,
            "$minute" => d => d.Minute,
            "$second" => d => d.Second,
            "$millisecond" => d => d.Millisecond,
            "$isoWeek" => ISOWeek.GetWeekOfYear,
            "$isoWeekYear" => ISOWeek.GetYear,
            _ => null,
        };
        if (part is not null)
        {
            Expression date = Parse(value is BsonDocument { ElementCount: > 0 } named && named.Contains("date") ? named["date"] : value is BsonArray { Count: 1 } one ? one[0] : value);
            return new Expression(c => date.Evaluate(c) is { } v && !IsNull(v) ? new BsonInt32(part(Date(v))) : BsonNull.Value);
        }

        switch (name)
        {
            case "$dateToString":
                Expression source = Parse(value["date"]);
                string format = value.AsBsonDocument.GetValue("format", "%Y-%m-%dT%H:%M:%S.%LZ").AsString;
                return new Expression(c => source.Evaluate(c) is { } v && !IsNull(v) ? Format(Date(v), format) : BsonNull.Value);
            case "$dateTrunc":
                Expression start = Parse(value["date"]);
                string unit = value["unit"].AsString;
                return new Expression(c => start.Evaluate(c) is { } v && !IsNull(v) ? new BsonDateTime(Truncate(Date(v), unit)) : BsonNull.Value);
            case "$dateAdd":
                Expression from = Parse(value["startDate"]);
                Expression amount = Parse(value["amount"]);
                string step = value["unit"].AsString;
                return new Expression(c => from.Evaluate(c) is { } v && !IsNull(v) ? new BsonDateTime(Step(Date(v), step, amount.Evaluate(c)!.ToInt32())) : BsonNull.Value);
            case "$dateFromString":
                Expression text = Parse(value["dateString"]);
                return new Expression(c => text.Evaluate(c) is { } v && !IsNull(v) ? Convert(v, "date") : BsonNull.Value);
            default:
                return null;
        }
    }

    private static DateTime Date(BsonValue value) => value switch
    {
        BsonDateTime date => date.ToUniversalTime(),
        BsonObjectId id => id.Value.CreationTime,
        BsonTimestamp stamp => DateTimeOffset.FromUnixTimeSeconds(stamp.Timestamp).UtcDateTime,
        _ => throw Bad($"can't convert from BSON type {BsonTypes.Name(value.BsonType)} to Date"),
    };

    private static string Format(DateTime date, string format)
    {
        var text = new System.Text.StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i == format.Length - 1)
            {
                text.Append(format[i]);
                continue;
            }

            string token = format[++i] switch
            {
                'Y' => "yyyy",
                'm' => "MM",
                'd' => "dd",
                'H' => "HH",
                'M' => "mm",
                'S' => "ss",
                'L' => "fff",
                'j' => "",
                '%' => "'%'",
                char other => throw Bad($"Invalid format character '%{other}' in format string"),
            };
            text.Append(token.Length == 0 ? date.DayOfYear.ToString("D3", CultureInfo.InvariantCulture) : date.ToString(token, CultureInfo.InvariantCulture));
        }

        return text.ToString();
    }

    private static DateTime Truncate(DateTime date, string unit) => unit switch
    {
        "year" => new DateTime(date.Year, 1, 1, 0, 0, 0, DateTimeKind.Utc),
        "quarter" => new DateTime(date.Year, ((date.Month - 1) / 3 * 3) + 1, 1, 0, 0, 0, DateTimeKind.Utc),
        "month" => new DateTime(date.Year, date.Month, 1, 0, 0, 0, DateTimeKind.Utc),
        "week" => date.Date.AddDays(-(int)date.DayOfWeek),
        "day" => date.Date,
        "hour" => date.Date.AddHours(date.Hour),
        "minute" => date.Date.AddHours(date.Hour).AddMinutes(date.Minute),
        "second" => date.AddTicks(-(date.Ticks % TimeSpan.TicksPerSecond)),
        _ => throw new MongoCommandException(MongoErrorCode.FailedToParse, $"unknown time unit value: {unit}"),
    };

    private static DateTime Step(DateTime date, string unit, int amount) => unit switch
    {
        "year" => date.AddYears(amount),
        "quarter" => date.AddMonths(3 * amount),
        "month" => date.AddMonths(amount),
        "week" => date.AddDays(7 * amount),
        "day" => date.AddDays(amount),
        "hour" => date.AddHours(amount),
        "minute" => date.AddMinutes(amount),
        "second" => date.AddSeconds(amount),
        "millisecond" => date.AddMilliseconds(amount),
        _ => throw new MongoCommandException(MongoErrorCode.FailedToParse, $"unknown time unit value: {unit}"),
    };

    private static Expression? ParseCollection(string name, BsonValue value)
    {
        switch (name)
        {
            case "$size":
                Expression sized = Arguments(name, value, 1)[0];
                return new Expression(c => sized.Evaluate(c) is BsonArray array ? new BsonInt32(array.Count) : throw Bad("The argument to $size must be an array"));
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
                    return new BsonArray(array.Skip(first < 0 ? Math.Max(0, array.Count + first) : first).Take(slice[2].Evaluate(c)!.ToInt32()));
                });
            case "$range":
                Expression[] range = Arguments(value);
                return new Expression(c =>
                {
                    (int start, int end, int step) = (range[0].Evaluate(c)!.ToInt32(), range[1].Evaluate(c)!.ToInt32(), range.Length > 2 ? range[2].Evaluate(c)!.ToInt32() : 1);
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
                Expression input = Parse(value["input"]);
                string item = value.AsBsonDocument.GetValue("as", "this").AsString;
                Expression each = Parse(value[name == "$map" ? "in" : "cond"]);
                return new Expression(c => input.Evaluate(c) is not BsonArray array ? BsonNull.Value
                    : name == "$map" ? new BsonArray(array.Select(v => each.Evaluate(c.With(item, v)) ?? BsonNull.Value))
                    : new BsonArray(array.Where(v => IsTrue(each.Evaluate(c.With(item, v))))));
            case "$reduce":
                Expression reduced = Parse(value["input"]);
                Expression initial = Parse(value["initialValue"]);
                Expression combine = Parse(value["in"]);
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
                return Unary(name, value, v => new BsonArray(v.AsBsonDocument.Select(e => new BsonDocument { { "k", e.Name }, { "v", e.Value } })));
            case "$arrayToObject":
                return Unary(name, value, v => new BsonDocument(v.AsBsonArray.Select(e => e is BsonArray pair ? new BsonElement(pair[0].AsString, pair[1]) : new BsonElement(e["k"].AsString, e["v"]))));
            case "$getField":
                string field = value is BsonDocument named ? named["field"].AsString : value.AsString;
                Expression owner = value is BsonDocument withInput && withInput.Contains("input") ? Parse(withInput["input"]) : new Expression(c => c.Root);
                return new Expression(c => owner.Evaluate(c) is BsonDocument document && document.TryGetValue(field, out BsonValue found) ? found : null);
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
