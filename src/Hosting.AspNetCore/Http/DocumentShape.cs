using System.Globalization;
using Microsoft.OpenApi;
using MongoDB.Bson;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// The types of a read model's fields: how a filter of a URL is compared with them, and what the OpenAPI document says of them.
/// </summary>
internal sealed class DocumentShape(BsonDocument sample)
{
    private static readonly string[] Times = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"];

    /// <summary>The schema of the documents in MongoDB's relaxed extended JSON, which the answers are in.</summary>
    public OpenApiSchema Schema => SchemaOf(sample);

    /// <summary>The schema of a filter on <paramref name="field"/>.</summary>
    public OpenApiSchema FilterOf(string field) => TypeOf(field) switch
    {
        BsonType.Int32 or BsonType.Int64 => new OpenApiSchema { Type = JsonSchemaType.Integer, Format = "int64" },
        BsonType.Double or BsonType.Decimal128 => new OpenApiSchema { Type = JsonSchemaType.Number },
        BsonType.Boolean => new OpenApiSchema { Type = JsonSchemaType.Boolean },
        BsonType.Binary => new OpenApiSchema { Type = JsonSchemaType.String, Format = "uuid" },
        BsonType.DateTime => new OpenApiSchema { Type = JsonSchemaType.String, Format = "date", Examples = ["2026-01-31"] },
        _ => new OpenApiSchema { Type = JsonSchemaType.String },
    };

    /// <summary>The value that <paramref name="text"/> means for <paramref name="field"/>.</summary>
    /// <exception cref="InvalidInputException">It is not of the field's type.</exception>
    public BsonValue ValueOf(string field, string text)
    {
        return TypeOf(field) switch
        {
            BsonType.Int32 or BsonType.Int64 =>
                long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
                    ? number
                    : throw Not("a whole number"),
            BsonType.Double =>
                double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : throw Not("a number"),
            BsonType.Decimal128 => decimal.TryParse(text, NumberStyles.Number, CultureInfo.InvariantCulture, out decimal number)
                ? number
                : throw Not("a number"),
            BsonType.Boolean => bool.TryParse(text, out bool flag) ? flag : throw Not("true or false"),
            BsonType.Binary => Guid.TryParse(text, out Guid id)
                ? new BsonBinaryData(id, GuidRepresentation.Standard)
                : throw Not("a UUID such as 019c0000-0000-7000-8000-000000000001"),
            BsonType.DateTime => DateTime.TryParseExact(text, Times, CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out DateTime time)
                ? time
                : throw Not("a day such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z"),
            _ => text,
        };

        InvalidInputException Not(string what) => new(field, $"The filter {field} is '{text}'; it must be {what}.");
    }

    /// <summary>Whether <paramref name="field"/> may have several values in one document: it is, or is in, an array.</summary>
    public bool IsMany(string field)
    {
        BsonValue value = sample;
        foreach (string part in field.Split('.'))
        {
            if (value is not BsonDocument document || !document.TryGetValue(part, out value!))
                return value is BsonArray;
        }

        return value is BsonArray;
    }

    private BsonType? TypeOf(string field)
    {
        BsonValue value = sample;
        foreach (string part in field.Split('.'))
        {
            if (value is BsonArray { Count: > 0 } array)
                value = array[0];
            if (value is not BsonDocument document || !document.TryGetValue(part, out value!))
                return null;
        }

        return value is BsonArray { Count: > 0 } items ? items[0].BsonType : value.BsonType;
    }

    private static OpenApiSchema SchemaOf(BsonValue value) => value.BsonType switch
    {
        BsonType.Document => new OpenApiSchema
        {
            Type = JsonSchemaType.Object,
            Properties = value.AsBsonDocument.ToDictionary(e => e.Name, IOpenApiSchema (e) => SchemaOf(e.Value)),
        },
        BsonType.Array => new OpenApiSchema
        {
            Type = JsonSchemaType.Array, Items = value.AsBsonArray.Count > 0 ? SchemaOf(value.AsBsonArray[0]) : new OpenApiSchema(),
        },
        BsonType.Int32 => new OpenApiSchema { Type = JsonSchemaType.Integer, Format = "int32" },
        BsonType.Int64 => new OpenApiSchema { Type = JsonSchemaType.Integer, Format = "int64" },
        BsonType.Double => new OpenApiSchema { Type = JsonSchemaType.Number },
        BsonType.Boolean => new OpenApiSchema { Type = JsonSchemaType.Boolean },
        BsonType.String => new OpenApiSchema { Type = JsonSchemaType.String },
        BsonType.DateTime => new OpenApiSchema
        {
            Type = JsonSchemaType.Object,
            Properties = new Dictionary<string, IOpenApiSchema>
            {
                ["$date"] = new OpenApiSchema { Type = JsonSchemaType.String, Format = "date-time" },
            },
        },
        _ => new OpenApiSchema(),
    };
}
