using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// Problem details (RFC 9457), in the JSON of this library: in an application of the user's, that one's converters, naming and generated
/// code are for its own types.
/// </summary>
internal sealed class ProblemResult(int status, string? detail, IEnumerable<KeyValuePair<string, object?>> more)
    : IResult, IStatusCodeHttpResult
{
    public int? StatusCode => status;

    public Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.StatusCode = status;
        var members = new Dictionary<string, object?>();
        if (TypeOf(status) is { } type)
            members["type"] = type;
        members["title"] = ReasonPhrases.GetReasonPhrase(status);
        members["status"] = status;
        if (detail is not null)
            members["detail"] = detail;
        foreach ((string name, object? value) in more)
            members[name] = value;
        members["traceId"] = Activity.Current?.Id ?? httpContext.TraceIdentifier;
        return httpContext.Response.WriteAsJsonAsync(members, JsonFormat.Options, "application/problem+json",
            httpContext.RequestAborted);
    }

    // Where the status is defined, as ASP.NET's own problem details have it.
    private static string? TypeOf(int status) => status switch
    {
        StatusCodes.Status400BadRequest => Rfc9110("15.5.1"),
        StatusCodes.Status401Unauthorized => Rfc9110("15.5.2"),
        StatusCodes.Status404NotFound => Rfc9110("15.5.5"),
        StatusCodes.Status405MethodNotAllowed => Rfc9110("15.5.6"),
        StatusCodes.Status409Conflict => Rfc9110("15.5.10"),
        StatusCodes.Status413PayloadTooLarge => Rfc9110("15.5.14"),
        StatusCodes.Status415UnsupportedMediaType => Rfc9110("15.5.16"),
        StatusCodes.Status421MisdirectedRequest => Rfc9110("15.5.20"),
        StatusCodes.Status422UnprocessableEntity => Rfc9110("15.5.21"),
        StatusCodes.Status500InternalServerError => Rfc9110("15.6.1"),
        StatusCodes.Status503ServiceUnavailable => Rfc9110("15.6.4"),
        StatusCodes.Status504GatewayTimeout => Rfc9110("15.6.5"),
        _ => null,
    };

    private static string Rfc9110(string section) => $"https://tools.ietf.org/html/rfc9110#section-{section}";
}
