using System.IO.Compression;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>The body of a request as JSON: in UTF-8, as it is or compressed, and bounded in both forms.</summary>
internal static class JsonBody
{
    private const string Codings = "gzip, br, deflate";
    private const int FirstBuffer = 4 * 1024;

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>The body as a <paramref name="type"/>.</summary>
    /// <exception cref="InvalidInputException">It is none; the message names the field.</exception>
    /// <exception cref="UnsupportedBodyException">It is in a form that is not read.</exception>
    /// <exception cref="BadHttpRequestException">It is larger than <paramref name="maxBytes"/>.</exception>
    public static async Task<object> Read(HttpContext context, Type type, long maxBytes)
    {
        CheckType(context.Request);
        using var body = new MemoryStream(FirstBuffer);
        (Stream source, string? coding) = Plain(context);
        try
        {
            await Copy(source, body, maxBytes, context.RequestAborted).ConfigureAwait(false);
        }
        catch (Exception malformed) when (coding is not null && malformed is InvalidDataException or InvalidOperationException)
        {
            throw new InvalidInputException("$", $"The body is not {coding}, as its Content-Encoding says: {malformed.Message}", malformed);
        }

        ReadOnlyMemory<byte> json = body.GetBuffer().AsMemory(0, (int)body.Length);
        if (json.Span.StartsWith(ByteOrderMark))
            json = json[ByteOrderMark.Length..];
        try
        {
            return JsonSerializer.Deserialize(json.Span, type, JsonFormat.Options)
                ?? throw new InvalidInputException("$", "The body is null; it must be a JSON object.");
        }
        catch (Exception mistaken) when (mistaken is JsonException or InvalidOperationException or NotSupportedException)
        {
            throw JsonMistake.Find(json, type)
                ?? new InvalidInputException(mistaken is JsonException { Path: { Length: > 0 } path } ? path : "$",
                    "The body is not what the command takes; /docs shows what it is.", mistaken);
        }
    }

    private static void CheckType(HttpRequest request)
    {
        if (!request.HasJsonContentType())
            throw new BadHttpRequestException("The body is not JSON.", StatusCodes.Status415UnsupportedMediaType);
        string? charset = MediaTypeHeaderValue.TryParse(request.ContentType, out MediaTypeHeaderValue? type) && type.Charset.HasValue
            ? HeaderUtilities.RemoveQuotes(type.Charset).ToString()
            : null;
        if (charset is not null && !charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase))
            throw new UnsupportedBodyException("unsupported-charset",
                $"The body is in {charset}, by its Content-Type; JSON is sent in utf-8 (RFC 8259, 8.1).", accepted: null);
    }

    private static (Stream Source, string? Coding) Plain(HttpContext context)
    {
        string[] codings =
        [
            .. context.Request.Headers.ContentEncoding.SelectMany(v =>
                (v ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).Select(c =>
                    c.ToLowerInvariant()).Where(c => c != "identity"),
        ];
        return codings switch
        {
            [] => (context.Request.Body, null),
            ["gzip" or "x-gzip"] => (new GZipStream(context.Request.Body, CompressionMode.Decompress, leaveOpen: true), "gzip"),
            ["br"] => (new BrotliStream(context.Request.Body, CompressionMode.Decompress, leaveOpen: true), "br"),
            ["deflate"] => (new ZLibStream(context.Request.Body, CompressionMode.Decompress, leaveOpen: true), "deflate"),
            _ => throw new UnsupportedBodyException("unsupported-encoding",
                $"The body is compressed by {string.Join(", ", codings)}; it may be by one of {Codings}, or not at all.", Codings),
        };
    }

    // What a small body inflates to is bounded as it comes: a bomb is never in memory.
    private static async Task Copy(Stream source, MemoryStream body, long maxBytes, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[FirstBuffer];
        while (await source.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is var read and > 0)
        {
            if (body.Length + read > maxBytes)
                throw new BadHttpRequestException("The body is too large.", StatusCodes.Status413PayloadTooLarge);
            body.Write(buffer, 0, read);
        }
    }
}

/// <summary>
/// The body of a request is in a form that is not read; <paramref name="accepted"/> are the content codings that are, when that is the
/// matter.
/// </summary>
internal sealed class UnsupportedBodyException(string code, string message, string? accepted) : Exception(message)
{
    public string Code => code;

    public string? Accepted => accepted;
}
