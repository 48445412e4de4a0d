using System.Globalization;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Query;

/// <summary>How a value becomes one of another type ($convert and its short forms).</summary>
internal static class Conversion
{
    /// <exception cref="MongoCommandException">It cannot become one.</exception>
    public static BsonValue Convert(BsonValue value, string type)
    {
        try
        {
            return type switch
            {
                "string" => value switch
                {
                    BsonString => value,
                    BsonDateTime date => date.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
                    BsonBoolean boolean => boolean.Value ? "true" : "false",
                    BsonDouble number => number.Value.ToString("R", CultureInfo.InvariantCulture),
                    _ => value.ToString()!,
                },
                "int" => new BsonInt32(value is BsonString text
                    ? int.Parse(text.Value, CultureInfo.InvariantCulture)
                    : value is BsonBoolean b
                    ? (b.Value ? 1 : 0)
                    : checked((int)value.ToInt64())),
                "long" => new BsonInt64(value is BsonString text
                    ? long.Parse(text.Value, CultureInfo.InvariantCulture)
                    : value is BsonDateTime date
                    ? date.MillisecondsSinceEpoch
                    : value.ToInt64()),
                "double" => new BsonDouble(value is BsonString text
                    ? double.Parse(text.Value, CultureInfo.InvariantCulture)
                    : value.ToDouble()),
                "decimal" => new BsonDecimal128(value is BsonString text
                    ? Decimal128.Parse(text.Value)
                    : BsonValueComparer.ToDecimal(value)),
                _ => value switch
                {
                    BsonDateTime => value,
                    BsonString text =>
                        new BsonDateTime(DateTime.Parse(text.Value, CultureInfo.InvariantCulture,
                            DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal)),
                    BsonObjectId id => new BsonDateTime(id.Value.CreationTime),
                    _ => new BsonDateTime(value.ToInt64()),
                },
            };
        }
        catch (Exception failed) when (failed is FormatException or OverflowException or InvalidCastException or NotSupportedException)
        {
            throw new MongoCommandException(MongoErrorCode.ConversionFailure,
                $"Failed to convert {BsonTypes.Name(value.BsonType)} to {type} in $convert: {failed.Message}");
        }
    }
}
