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
        return Results.Problem(detail, statusCode: status, extensions: extensions);
    }

    public static IResult Invalid(string field, string detail) =>
        Of(StatusCodes.Status400BadRequest, "invalid-input", detail, [new("field", field)]);

    public static IResult Unavailable(HttpContext context, string detail)
    {
        context.Response.Headers.RetryAfter = RetryAfterSeconds;
        return Of(StatusCodes.Status503ServiceUnavailable, "unavailable", detail);
    }
}
