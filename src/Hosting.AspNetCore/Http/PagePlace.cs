using System.Buffers.Text;
using KafkaEventSourcing.Projections.MongoDB;
using MongoDB.Bson;
using MongoDB.Bson.Serialization;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// Where a page ends, in the order of its documents, and what comes behind it. As text it is the id of the last document, or, in an order
/// that has more fields, their values.
/// </summary>
internal static class PagePlace
{
    private const string Values = "v";
    private static readonly BsonDocument Nothing = new("_id", new BsonDocument("$in", new BsonArray()));

    public static string After(BsonDocument last, IReadOnlyList<MongoIndexKey> order) =>
        IsId(order)
            ? last["_id"].ToString()!
            : Base64Url.EncodeToString(new BsonDocument(Values, new BsonArray(order.Select(k => ValueOf(last, k.Field)))).ToBson());

    /// <exception cref="InvalidInputException">The text is not one that <see cref="After"/> gives in this order.</exception>
    public static BsonDocument Behind(string after, IReadOnlyList<MongoIndexKey> order, BsonDocument equal)
    {
        BsonValue[] values = IsId(order) ? [after] : Read(after, order.Count);
        var branches = new List<BsonDocument>();
        for (int i = 0; i < values.Length; i++)
        {
            var same = new BsonDocument(equal.Concat(order.Take(i).Select((k, at) => new BsonElement(k.Field, values[at]))));
            (string field, bool isDescending) = order[i];
            // $gt and $lt compare values of one type only, and null is before all others.
            if (!isDescending)
                branches.Add(new BsonDocument(same).Add(field,
                    values[i].IsBsonNull ? new BsonDocument("$ne", BsonNull.Value) : new BsonDocument("$gt", values[i])));
            else if (!values[i].IsBsonNull)
                branches.AddRange([new BsonDocument(same).Add(field, new BsonDocument("$lt", values[i])),
                    new BsonDocument(same).Add(field, BsonNull.Value)]);
        }

        return branches.Count == 0 ? Nothing : branches.Count == 1 ? branches[0] : new BsonDocument("$or", new BsonArray(branches));
    }

    private static bool IsId(IReadOnlyList<MongoIndexKey> order) => order is [{ Field: "_id" }];

    private static BsonValue[] Read(string after, int count)
    {
        try
        {
            BsonDocument place = BsonSerializer.Deserialize<BsonDocument>(Base64Url.DecodeFromChars(after));
            // Plain values only: what a caller makes up must not become a condition of its own.
            if (place.TryGetValue(Values, out BsonValue read)
                && read is BsonArray values
                && values.Count == count
                && !values.Any(v => v is BsonDocument or BsonArray or BsonRegularExpression))
                return [.. values];
        }
        catch (Exception malformed) when (malformed is FormatException or EndOfStreamException or BsonException or ArgumentException
            or OverflowException)
        {
            // Told below.
        }

        throw new InvalidInputException("after",
            "'after' is not the 'next' of a page with the same filters; take it as it was given, or leave it out for the first page.");
    }

    private static BsonValue ValueOf(BsonDocument document, string path)
    {
        BsonValue value = document;
        foreach (string part in path.Split('.'))
        {
            if (value is not BsonDocument inner || !inner.TryGetValue(part, out value!))
                return BsonNull.Value;
        }

        return value;
    }
}
