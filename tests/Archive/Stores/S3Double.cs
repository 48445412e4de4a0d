using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Archive.Tests;

/// <summary>What goes wrong with a request.</summary>
internal enum S3Fault
{
    None,

    /// <summary>500, and nothing is done.</summary>
    InternalError,

    /// <summary>503, and nothing is done.</summary>
    SlowDown,

    /// <summary>409, which S3 answers where two make one name at the same time; nothing is done.</summary>
    Conflict,

    /// <summary>The connection ends in the middle of the body: of the request's, or of the answer's.</summary>
    Cut,

    /// <summary>It is done, and the connection ends without an answer.</summary>
    DoneAndCut,

    /// <summary>It is done, and answered with 500.</summary>
    DoneAndError,
}

/// <summary>
/// A strict S3 in memory, with one bucket: objects are made as a whole, conditions hold for single and multipart writes, checksums and the
/// framing of bodies are checked, lists are paged, ranges and parts keep S3's rules. Requests can be made to fail.
/// </summary>
internal sealed class S3Double : IAsyncDisposable
{
    public const string Bucket = "archive-bucket";
    public const string AccessKey = "AKIADOUBLE";
    public const string SecretKey = "not-a-secret";
    private const int PageSize = 3;
    private const int LeastPartBytes = 5 * 1024 * 1024;
    private static readonly XNamespace Xml = "http://s3.amazonaws.com/doc/2006-03-01/";

    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, StoredObject> _objects = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Upload> _uploads = [];
    private readonly WebApplication _server;

    private S3Double(WebApplication server) => _server = server;

    /// <summary>What goes wrong with each request; null: nothing.</summary>
    public Func<HttpRequest, S3Fault>? Faults { get; set; }

    /// <summary>As stores that are not S3: PutObject takes no notice of If-None-Match.</summary>
    public bool IgnoresConditions { get; set; }

    /// <summary>As stores that do half of it: CompleteMultipartUpload takes no notice of If-None-Match.</summary>
    public bool IgnoresConditionsOfParts { get; set; }

    public Uri Address { get; private set; } = null!;

    /// <summary>The objects that are there, whatever a client would be shown.</summary>
    public IReadOnlyDictionary<string, byte[]> Objects
    {
        get
        {
            lock (_lock)
                return _objects.ToDictionary(o => o.Key, o => o.Value.Body);
        }
    }

    /// <summary>How many uploads in parts are open.</summary>
    public int OpenUploads
    {
        get
        {
            lock (_lock)
                return _uploads.Count;
        }
    }

    public static async Task<S3Double> Start()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0").ConfigureKestrel(k => k.Limits.MaxRequestBodySize = null);
        WebApplication server = builder.Build();
        var s3 = new S3Double(server);
        server.Run(s3.Handle);
        await server.StartAsync();
        s3.Address = new Uri(server.Urls.Single());
        return s3;
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task Handle(HttpContext context)
    {
        S3Fault fault = Faults?.Invoke(context.Request) ?? S3Fault.None;
        try
        {
            Refuse(fault);
            byte[] body = await Body(context.Request, fault == S3Fault.Cut);
            if (fault == S3Fault.Cut && !HttpMethods.IsGet(context.Request.Method))
            {
                context.Abort();
                return;
            }

            Answer answer = Do(context.Request, body);
            if (fault == S3Fault.DoneAndCut)
            {
                context.Abort();
                return;
            }

            if (fault == S3Fault.DoneAndError)
                throw new S3Error(500, "InternalError", "We encountered an internal error. Please try again.");
            await Write(context, answer, fault == S3Fault.Cut);
        }
        catch (S3Error error)
        {
            var text = new XElement("Error", new XElement("Code", error.Code), new XElement("Message", error.Message));
            await Write(context, new Answer(error.Status, Encoding.UTF8.GetBytes(text.ToString()), [("Content-Type", "application/xml")]),
                false);
        }
    }

    private static void Refuse(S3Fault fault)
    {
        switch (fault)
        {
            case S3Fault.InternalError:
                throw new S3Error(500, "InternalError", "We encountered an internal error. Please try again.");
            case S3Fault.SlowDown:
                throw new S3Error(503, "SlowDown", "Please reduce your request rate.");
            case S3Fault.Conflict:
                throw new S3Error(409, "ConditionalRequestConflict", "A conflicting conditional operation is currently in progress.");
            default:
                return;
        }
    }

    private static async Task<byte[]> Body(HttpRequest request, bool half)
    {
        if (half && request.ContentLength is > 0 and var length)
        {
            byte[] part = new byte[length / 2];
            await request.Body.ReadExactlyAsync(part);
            return part;
        }

        using var sent = new MemoryStream();
        await request.Body.CopyToAsync(sent);
        return S3Body.Read(request.Headers, sent.ToArray());
    }

    private static async Task Write(HttpContext context, Answer answer, bool half)
    {
        context.Response.StatusCode = answer.Status;
        foreach ((string name, string value) in answer.Headers)
            context.Response.Headers[name] = value;
        bool isHead = HttpMethods.IsHead(context.Request.Method);
        if (!isHead || answer.Status == 200)
            context.Response.ContentLength ??= answer.Body.Length;
        if (isHead)
            return;
        await context.Response.Body.WriteAsync(half ? answer.Body.AsMemory(0, answer.Body.Length / 2) : answer.Body);
        if (!half)
            return;
        await context.Response.Body.FlushAsync();
        context.Abort();
    }

    private Answer Do(HttpRequest request, byte[] body)
    {
        if (!request.Headers.Authorization.ToString().StartsWith($"AWS4-HMAC-SHA256 Credential={AccessKey}/", StringComparison.Ordinal))
            throw new S3Error(403, "AccessDenied", "Access Denied");
        string[] path = request.Path.Value!.TrimStart('/').Split('/', 2);
        if (path[0] != Bucket)
            throw new S3Error(404, "NoSuchBucket", "The specified bucket does not exist");
        string key = path.Length > 1 ? path[1] : "";
        lock (_lock)
        {
            return (request.Method, key.Length > 0, request.Query.ContainsKey("uploadId"), request.Query.ContainsKey("uploads")) switch
            {
                ("GET", false, _, _) when request.Query["list-type"] == "2" => List(request),
                ("PUT", true, true, _) => PutPart(key, request, body),
                ("PUT", true, _, _) => Put(key, request, body),
                ("POST", true, _, true) => Begin(key, request),
                ("POST", true, true, _) => Complete(key, request, body),
                ("DELETE", true, true, _) => Abort(request),
                ("DELETE", true, _, _) => Delete(key),
                ("GET" or "HEAD", true, _, _) => Get(key, request),
                _ => throw new S3Error(501, "NotImplemented", $"{request.Method} {request.GetEncodedPathAndQuery()}"),
            };
        }
    }

    private Answer Put(string key, HttpRequest request, byte[] body)
    {
        CheckCondition(key, request, IgnoresConditions);
        _objects[key] = new StoredObject(body, Metadata(request));
        return new Answer(200, [], [("ETag", Tag(body))]);
    }

    private Answer Begin(string key, HttpRequest request)
    {
        string id = Guid.CreateVersion7().ToString("N");
        _uploads.Add(id, new Upload(key, Metadata(request)));
        return Answer.Of(new XElement(Xml + "InitiateMultipartUploadResult", new XElement(Xml + "Bucket", Bucket),
            new XElement(Xml + "Key", key),
            new XElement(Xml + "UploadId", id)));
    }

    private Answer PutPart(string key, HttpRequest request, byte[] body)
    {
        Upload upload = Open(request);
        int number = int.Parse(request.Query["partNumber"].ToString(), CultureInfo.InvariantCulture);
        if (upload.Key != key || number is < 1 or > 10_000)
            throw new S3Error(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive");
        upload.Parts[number] = body;
        return new Answer(200, [], [("ETag", Tag(body))]);
    }

    private Answer Complete(string key, HttpRequest request, byte[] body)
    {
        Upload upload = Open(request);
        CheckCondition(key, request, IgnoresConditionsOfParts);
        List<byte[]> parts = [];
        int last = 0;
        foreach (XElement part in XDocument.Parse(Encoding.UTF8.GetString(body)).Root!.Elements().Where(e => e.Name.LocalName == "Part"))
        {
            int number = int.Parse(Text(part, "PartNumber")!, CultureInfo.InvariantCulture);
            if (number <= last)
                throw new S3Error(400, "InvalidPartOrder", "The list of parts was not in ascending order.");
            if (!upload.Parts.TryGetValue(number, out byte[]? sent) || Text(part, "ETag") != Tag(sent)
                || (Text(part, "ChecksumSHA256") is { } hash && hash != Convert.ToBase64String(SHA256.HashData(sent))))
                throw new S3Error(400, "InvalidPart", "One or more of the specified parts could not be found.");
            parts.Add(sent);
            last = number;
        }

        if (parts.Count == 0)
            throw new S3Error(400, "MalformedXML", "You must specify at least one part");
        if (parts.SkipLast(1).Any(p => p.Length < LeastPartBytes))
            throw new S3Error(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size");
        _objects[key] = new StoredObject([.. parts.SelectMany(p => p)], upload.Metadata);
        _uploads.Remove(request.Query["uploadId"].ToString());
        return Answer.Of(new XElement(Xml + "CompleteMultipartUploadResult", new XElement(Xml + "Key", key),
            new XElement(Xml + "ETag", "\"m-1\"")));
    }

    private Answer Abort(HttpRequest request)
    {
        Open(request);
        _uploads.Remove(request.Query["uploadId"].ToString());
        return new Answer(204, [], []);
    }

    private Answer Delete(string key)
    {
        _objects.Remove(key);
        return new Answer(204, [], []);
    }

    private Answer Get(string key, HttpRequest request)
    {
        if (!_objects.TryGetValue(key, out StoredObject? found))
            throw new S3Error(404, "NoSuchKey", "The specified key does not exist.");
        List<(string, string)> headers =
            [("ETag", Tag(found.Body)), ("Last-Modified", "Mon, 30 Nov 2026 00:00:00 GMT"), .. found.Metadata];
        if (request.Headers.Range.ToString() is not { Length: > 0 } range || HttpMethods.IsHead(request.Method))
            return new Answer(200, found.Body, headers);
        long[] bounds = [.. range["bytes=".Length..].Split('-').Select(b => long.Parse(b, CultureInfo.InvariantCulture))];
        if (bounds[0] >= found.Body.Length)
            throw new S3Error(416, "InvalidRange", "The requested range is not satisfiable");
        long end = Math.Min(bounds[1], found.Body.Length - 1);
        return new Answer(206, found.Body[(int)bounds[0]..(int)(end + 1)],
            [.. headers, ("Content-Range", string.Create(CultureInfo.InvariantCulture, $"bytes {bounds[0]}-{end}/{found.Body.Length}"))]);
    }

    private Answer List(HttpRequest request)
    {
        string prefix = request.Query["prefix"].ToString();
        string after = request.Query["continuation-token"].ToString();
        string[] keys = [.. _objects.Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal)
            && string.CompareOrdinal(k, after) > 0)];
        string[] page = [.. keys.Take(PageSize)];
        bool isTruncated = keys.Length > page.Length;
        return Answer.Of(new XElement(Xml + "ListBucketResult", new XElement(Xml + "Name", Bucket), new XElement(Xml + "Prefix", prefix),
            new XElement(Xml + "KeyCount", page.Length), new XElement(Xml + "MaxKeys", PageSize),
            new XElement(Xml + "IsTruncated", isTruncated),
            isTruncated ? new XElement(Xml + "NextContinuationToken", page[^1]) : null,
            page.Select(k => new XElement(Xml + "Contents", new XElement(Xml + "Key", k),
                new XElement(Xml + "Size", _objects[k].Body.Length),
                new XElement(Xml + "ETag", Tag(_objects[k].Body)), new XElement(Xml + "LastModified", "2026-11-30T00:00:00.000Z"),
                new XElement(Xml + "StorageClass", "STANDARD")))));
    }

    private void CheckCondition(string key, HttpRequest request, bool isIgnored)
    {
        string condition = request.Headers.IfNoneMatch.ToString();
        if (condition.Length > 0 && condition != "*")
            throw new S3Error(501, "NotImplemented", "A header you provided implies functionality that is not implemented");
        if (condition == "*" && !isIgnored && _objects.ContainsKey(key))
            throw new S3Error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
    }

    private Upload Open(HttpRequest request) => _uploads.TryGetValue(request.Query["uploadId"].ToString(), out Upload? upload)
        ? upload
        : throw new S3Error(404, "NoSuchUpload", "The specified upload does not exist.");

    private static List<(string Name, string Value)> Metadata(HttpRequest request) =>
        [.. request.Headers.Where(h => h.Key.StartsWith("x-amz-meta-", StringComparison.OrdinalIgnoreCase))
            .Select(h => (h.Key, h.Value.ToString()))];

    private static string? Text(XElement element, string name) => element.Elements().SingleOrDefault(e => e.Name.LocalName == name)?.Value;

    private static string Tag(byte[] body) => $"\"{Convert.ToHexStringLower(SHA256.HashData(body))[..32]}\"";

    private sealed record StoredObject(byte[] Body, List<(string Name, string Value)> Metadata);

    private sealed record Upload(string Key, List<(string Name, string Value)> Metadata)
    {
        public Dictionary<int, byte[]> Parts { get; } = [];
    }

    private sealed record Answer(int Status, byte[] Body, List<(string Name, string Value)> Headers)
    {
        public static Answer Of(XElement body) => new(200, Encoding.UTF8.GetBytes(body.ToString()), [("Content-Type", "application/xml")]);
    }
}

/// <summary>An error that S3 answers.</summary>
internal sealed class S3Error(int status, string code, string message) : Exception(message)
{
    public int Status => status;

    public string Code => code;
}
