using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using MongoDB.Bson;
using MongoDB.Bson.IO;
using MongoDB.Driver;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// Writes a page as it is read: it ends at its limit of documents, or of bytes, whichever comes first, and has one document at least.
/// </summary>
internal static class ReadModelPage
{
    /// <summary>The most bytes of documents, as they are stored, in a page of more than one.</summary>
    public const int MaxBytes = 4 * 1024 * 1024;

    private const int FlushBytes = 64 * 1024;

    public static async Task Write(HttpResponse response, IMongoCollection<RawBsonDocument> collection, PageQuery query, TimeSpan maxTime,
        JsonWriterSettings json, CancellationToken cancellationToken)
    {
        var options = new FindOptions<RawBsonDocument>
        {
            Sort = query.Sort,
            Limit = query.Limit + 1,
            MaxTime = maxTime,
            Projection = ReadModelEndpoints.Shown,
        };
        using IAsyncCursor<RawBsonDocument> cursor =
            await collection.FindAsync<RawBsonDocument>(query.Filter, options, cancellationToken).ConfigureAwait(false);
        int documents = 0;
        long bytes = 0;
        long unflushed = 0;
        string? last = null;
        bool isFull = false;
        while (!isFull && await cursor.MoveNextAsync(cancellationToken).ConfigureAwait(false))
        {
            if (documents == 0)
                Start(response);
            foreach (RawBsonDocument document in cursor.Current)
            {
                using (document)
                {
                    isFull = isFull || documents == query.Limit || (documents > 0 && bytes + document.Slice.Length > MaxBytes);
                    if (isFull)
                        continue; // each is given back
                    bytes += document.Slice.Length;
                    last = query.NextOf(document);
                    unflushed += Append(response, documents++ == 0 ? document.ToJson(json) : $", {document.ToJson(json)}");
                }

                if (unflushed < FlushBytes)
                    continue;
                await response.BodyWriter.FlushAsync(cancellationToken).ConfigureAwait(false);
                unflushed = 0;
            }
        }

        if (documents == 0 && !response.HasStarted)
            Start(response);
        Append(response, $"], \"next\": {(isFull ? JsonSerializer.Serialize(last) : "null")} }}");
        await response.BodyWriter.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private static void Start(HttpResponse response)
    {
        if (response.ContentType is not null)
            return;
        response.ContentType = "application/json; charset=utf-8";
        Append(response, "{ \"documents\": [");
    }

    private static long Append(HttpResponse response, string text) => Encoding.UTF8.GetBytes(text, response.BodyWriter);
}
