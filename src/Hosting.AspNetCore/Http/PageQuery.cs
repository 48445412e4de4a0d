using System.Globalization;
using KafkaEventSourcing.Projections.MongoDB;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.OpenApi;
using MongoDB.Bson;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>Which page of a read model a URL asks for.</summary>
/// <param name="Filter">Which documents, those of the pages before excepted.</param>
/// <param name="Order">Their order: that of the index that finds them.</param>
/// <param name="Limit">The most documents.</param>
internal sealed record PageQuery(BsonDocument Filter, IReadOnlyList<MongoIndexKey> Order, int Limit)
{
    private const string LimitParameter = "limit";
    private const string AfterParameter = "after";
    private const int DefaultLimit = 100;
    private const int MaxLimit = 1_000;

    public BsonDocument Sort => new(Order.Select(k => new BsonElement(k.Field, k.IsDescending ? -1 : 1)));

    /// <exception cref="InvalidInputException">A parameter is unknown, given twice, or has a value that it cannot have, or no index has the
    /// filters together.</exception>
    public static PageQuery Of(IQueryCollection given, ServedFilters filters, DocumentShape shape)
    {
        var equal = new BsonDocument();
        int limit = DefaultLimit;
        string? after = null;
        foreach ((string name, StringValues values) in given)
        {
            if (values.Count > 1)
                throw new InvalidInputException(name, $"'{name}' is given {values.Count} times; give it once.");
            string value = values.ToString();
            if (name == LimitParameter)
                limit = LimitOf(value);
            else if (name == AfterParameter)
                after = value;
            else if (filters.Fields.Contains(name))
                equal.Add(name, shape.ValueOf(name, value));
            else if (name != ReadModelEndpoints.TokenParameter)
                throw new InvalidInputException(name, $"'{name}' is not a filter of this read model; it has {filters.Possible}.");
        }

        string[] names = [.. equal.Names];
        IReadOnlyList<MongoIndexKey> order = filters.OrderOf(names)
            ?? throw new InvalidInputException(names[0],
                $"No index of this read model has {string.Join(" and ", names)} alone; possible are {filters.Possible}.");
        return new PageQuery(after is null ? equal : PagePlace.Behind(after, order, equal), order, limit);
    }

    /// <summary>What 'after' is for the page behind <paramref name="last"/>.</summary>
    public string NextOf(BsonDocument last) => PagePlace.After(last, Order);

    public static void Declare(OpenApiOperation operation, ServedFilters filters, DocumentShape shape)
    {
        foreach (string filter in filters.Fields)
            operation.Declare(ParameterLocation.Query, filter, shape.FilterOf(filter),
                $"Only documents whose {filter} is this. Filters that can be given together: {filters.Possible}.");
        var limit = new OpenApiSchema
        {
            Type = JsonSchemaType.Integer,
            Minimum = "1",
            Maximum = MaxLimit.ToString(CultureInfo.InvariantCulture),
            Default = DefaultLimit,
        };
        operation.Declare(ParameterLocation.Query, LimitParameter, limit, "The most documents of a page.");
        operation.Declare(ParameterLocation.Query, AfterParameter, new OpenApiSchema { Type = JsonSchemaType.String },
            "The 'next' of the page before; the first page without it.");
    }

    public static OpenApiSchema SchemaOf(DocumentShape shape) => new()
    {
        Type = JsonSchemaType.Object,
        Properties = new Dictionary<string, IOpenApiSchema>
        {
            ["documents"] = new OpenApiSchema { Type = JsonSchemaType.Array, Items = shape.Schema },
            ["next"] = new OpenApiSchema
            {
                Type = JsonSchemaType.String | JsonSchemaType.Null,
                Description = "Hand it to 'after' for the next page; null: this is the last.",
            },
        },
    };

    private static int LimitOf(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int limit) && limit is >= 1 and <= MaxLimit
            ? limit
            : throw new InvalidInputException(LimitParameter, $"limit is '{text}'; it must be a whole number from 1 to {MaxLimit}.");
}
