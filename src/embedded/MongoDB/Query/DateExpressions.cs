using System.Globalization;
using System.Text;
using MongoDB.Bson;
using static KafkaEventSourcing.Embedded.MongoDB.Query.Expression;

namespace KafkaEventSourcing.Embedded.MongoDB.Query;

/// <summary>Expressions over dates.</summary>
internal static class DateExpressions
{
    public static Expression? Parse(string name, BsonValue value)
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
            Expression date = Expression.Parse(value is BsonDocument { ElementCount: > 0 } named && named.Contains("date")
                ? named["date"]
                : value is BsonArray { Count: 1 } one
                ? one[0]
                : value);
            return new Expression(c => date.Evaluate(c) is { } v && !IsNull(v) ? new BsonInt32(part(Date(v))) : BsonNull.Value);
        }

        switch (name)
        {
            case "$dateToString":
                Expression source = Expression.Parse(value["date"]);
                string format = value.AsBsonDocument.GetValue("format", "%Y-%m-%dT%H:%M:%S.%LZ").AsString;
                return new Expression(c => source.Evaluate(c) is { } v && !IsNull(v) ? Format(Date(v), format) : BsonNull.Value);
            case "$dateTrunc":
                Expression start = Expression.Parse(value["date"]);
                string unit = value["unit"].AsString;
                return new Expression(c =>
                    start.Evaluate(c) is { } v && !IsNull(v) ? new BsonDateTime(Truncate(Date(v), unit)) : BsonNull.Value);
            case "$dateAdd":
                Expression from = Expression.Parse(value["startDate"]);
                Expression amount = Expression.Parse(value["amount"]);
                string step = value["unit"].AsString;
                return new Expression(c =>
                    from.Evaluate(c) is { } v && !IsNull(v)
                        ? new BsonDateTime(Step(Date(v), step, amount.Evaluate(c)!.ToInt32()))
                        : BsonNull.Value);
            case "$dateFromString":
                Expression text = Expression.Parse(value["dateString"]);
                return new Expression(c => text.Evaluate(c) is { } v && !IsNull(v) ? Conversion.Convert(v, "date") : BsonNull.Value);
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
            text.Append(token.Length == 0
                ? date.DayOfYear.ToString("D3", CultureInfo.InvariantCulture)
                : date.ToString(token, CultureInfo.InvariantCulture));
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
}
