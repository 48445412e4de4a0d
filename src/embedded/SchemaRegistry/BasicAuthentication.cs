using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace KafkaEventSourcing.Embedded.SchemaRegistry;

/// <summary>Basic authentication (RFC 7617) against a few users.</summary>
internal sealed class BasicAuthentication(IReadOnlyDictionary<string, string> users)
{
    private const string Scheme = "Basic ";

    // SHA-256: of one length, so that how long a comparison takes says nothing of what is expected
    private readonly byte[][] _known = [.. users.Select(u => Digest($"{u.Key}:{u.Value}"))];

    /// <summary>Passes a request on that names a user, and answers others with 401.</summary>
    public Task Check(HttpContext context, RequestDelegate next)
    {
        if (IsKnown(context.Request.Headers.Authorization.ToString()))
            return next(context);
        context.Response.Headers.WWWAuthenticate = "Basic realm=\"Schema Registry\", charset=\"UTF-8\"";
        throw new RegistryException(StatusCodes.Status401Unauthorized, "Unauthorized");
    }

    private bool IsKnown(string authorization)
    {
        if (!authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            return false;
        Span<byte> given = stackalloc byte[1024];
        if (!Convert.TryFromBase64String(authorization[Scheme.Length..].Trim(), given, out int length))
            return false;
        byte[] digest = SHA256.HashData(given[..length]);
        bool isKnown = false;
        foreach (byte[] known in _known)
            isKnown |= CryptographicOperations.FixedTimeEquals(known, digest);
        return isKnown;
    }

    private static byte[] Digest(string user) => SHA256.HashData(Encoding.UTF8.GetBytes(user));
}
