using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// The request's target as the client sent it. The web server keeps an escape that it cannot decode as it stands, and never decodes
/// <c>%2F</c>, so that <c>%ff</c> and <c>%25ff</c> would name one id and no id could have a slash. Here an escape must be UTF-8, and the
/// route's id is what the client escaped.
/// </summary>
internal static class RequestTarget
{
    public const string Id = "id";

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Refuses targets with escapes that are not UTF-8; to be used before routing.</summary>
    public static void Check(HttpContext context)
    {
        foreach (string segment in (string[])[.. PathOf(context).Split('/'), QueryOf(context)])
        {
            if (!TryUnescape(segment, out _, out string? error))
                throw new InvalidInputException("url", error);
        }
    }

    /// <summary>
    /// Gives the route its id as the client escaped it; to be used after routing. Where the target does not say it, as middleware has
    /// changed the path or the server has none, the id stays as it was routed.
    /// </summary>
    public static void ReadId(HttpContext context)
    {
        RouteValueDictionary values = context.Request.RouteValues;
        if (values.GetValueOrDefault(Id) is not string routed || context.GetEndpoint() is not RouteEndpoint { RoutePattern: { } pattern })
            return;
        int place = pattern.PathSegments.TakeWhile(s => s.Parts is not [RoutePatternParameterPart { Name: Id }]).Count();
        bool isRest = ((RoutePatternParameterPart)pattern.PathSegments[place].Parts[0]).IsCatchAll;
        string[] target = PathOf(context).Split('/');
        // The server resolves "." and ".." before it routes; an id behind them would be another part of the path.
        if (target.Any(s => TryUnescape(s, out string? plain, out _) && plain is "." or ".."))
            throw new InvalidInputException("url", "The path has the segment '.' or '..', which cannot be told from a step in the path.");
        // Counted from the end: a base of the path is in the target, or not, where a proxy has taken it off.
        int routes = (context.Request.Path.Value ?? "").Count(c => c == '/');
        if (target.Length <= routes)
            return;
        string[] segments = target[^routes..];
        string raw = isRest ? string.Join('/', segments[place..]) : segments[place];
        if (PathString.FromUriComponent($"/{raw}").Value == $"/{routed}" && TryUnescape(raw, out string? id, out _))
            values[Id] = id;
    }

    internal static bool TryUnescape(string escaped, [NotNullWhen(true)] out string? plain, [NotNullWhen(false)] out string? error)
    {
        (plain, error) = (null, null);
        byte[] bytes = Encoding.UTF8.GetBytes(escaped);
        int length = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] != '%')
            {
                bytes[length++] = bytes[i];
                continue;
            }

            if (i + 2 >= bytes.Length
                || !byte.TryParse(bytes.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value))
            {
                error = $"'{Encoding.UTF8.GetString(bytes.AsSpan(i, Math.Min(3, bytes.Length - i)))}' in the URL is not an escape: a "
                    + $"percent sign is followed by two hexadecimal digits, and stands for itself as %25.";
                return false;
            }

            bytes[length++] = value;
            i += 2;
        }

        try
        {
            plain = Strict.GetString(bytes, 0, length);
            return true;
        }
        catch (DecoderFallbackException malformed)
        {
            error = $"'{string.Concat((malformed.BytesUnknown ?? []).Select(b => $"%{b:x2}"))}' in the URL is not UTF-8: escape the "
                + $"characters of an id by the bytes of their UTF-8.";
            return false;
        }
    }

    private static string PathOf(HttpContext context) => TargetOf(context).Split('?', 2)[0];

    private static string QueryOf(HttpContext context) => TargetOf(context).Split('?', 2) is [_, var query] ? query : "";

    // The target may be a whole URL (RFC 9112, 3.2.2).
    private static string TargetOf(HttpContext context)
    {
        string target = context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? ""; // a server in memory has none
        if (target.StartsWith('/') || target.IndexOf("://", StringComparison.Ordinal) is not (>= 0 and var scheme))
            return target;
        int path = target.IndexOf('/', scheme + 3);
        return path < 0 ? "/" : target[path..];
    }
}
