using Microsoft.AspNetCore.Http;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>Answers that say what was wrong: problem details (RFC 9457) with a stable <c>code</c>.</summary>
internal static class Problems
{
    private const string RetryAfterSeconds = "1";

    public static IResult Of(int status, string code, string detail, IEnumerable<KeyValuePair<string, object?>>? more = null)
    {
        var extensions = new Dictionary<string, object?> { ["code"] = code };
        foreach ((string name, object? value) in more ?? [])
            extensions[name] = value;
        return new ProblemResult(status, detail, extensions);
    }

    public static IResult Invalid(string field, string detail) =>
        Of(StatusCodes.Status400BadRequest, "invalid-input", detail, [new("field", field)]);

    public static IResult Unsupported(HttpContext context, UnsupportedBodyException unsupported)
    {
        if (unsupported.Accepted is not null)
            context.Response.Headers.AcceptEncoding = unsupported.Accepted; // RFC 9110, 12.5.3
        return Of(StatusCodes.Status415UnsupportedMediaType, unsupported.Code, unsupported.Message);
    }

    public static IResult NotJson(HttpContext context) =>
        Of(StatusCodes.Status415UnsupportedMediaType, "not-json",
            $"The body must be JSON: send it with the header Content-Type: "
                + $"application/json{(context.Request.ContentType is { Length: > 0 } given ? $", not {given}" : ", which is missing")}.");

    /// <summary>What a status means that was set without a body: by routing, which knows no such path, method or content type.</summary>
    public static IResult Of(HttpContext context) => context.Response.StatusCode switch
    {
        StatusCodes.Status404NotFound => Of(StatusCodes.Status404NotFound, "no-such-path",
            $"There is nothing "
                + $"at {context.Request.Path}; /docs and /openapi.json tell what there is. An id with a slash is escaped as %2F."),
        StatusCodes.Status405MethodNotAllowed => Of(StatusCodes.Status405MethodNotAllowed, "method-not-allowed",
            $"{context.Request.Path} does not take {context.Request.Method}; "
                + $"send {string.Join(" or ", context.Response.Headers.Allow.ToArray())}."),
        StatusCodes.Status415UnsupportedMediaType => NotJson(context),
        int status => new ProblemResult(status, null, []),
    };

    public static IResult Unavailable(HttpContext context, string detail)
    {
        context.Response.Headers.RetryAfter = RetryAfterSeconds;
        return Of(StatusCodes.Status503ServiceUnavailable, "unavailable", detail);
    }
}
