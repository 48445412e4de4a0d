using System.Globalization;
using System.IO.Hashing;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace KafkaEventSourcing.Archive.Tests;

/// <summary>Takes the framing off the body of a request to S3, and checks what the request says of it.</summary>
internal static class S3Body
{
    /// <exception cref="S3Error">It is not what the request says.</exception>
    public static byte[] Read(IHeaderDictionary headers, byte[] sent)
    {
        string hash = headers["x-amz-content-sha256"].ToString();
        var checksums = headers.Where(h => h.Key.StartsWith("x-amz-checksum-", StringComparison.OrdinalIgnoreCase))
            .ToDictionary(h => h.Key.ToLowerInvariant(), h => h.Value.ToString());
        byte[] body = sent;
        if (hash.StartsWith("STREAMING-", StringComparison.Ordinal))
        {
            body = Unframe(sent, checksums);
            if (headers["x-amz-decoded-content-length"] != body.Length.ToString(CultureInfo.InvariantCulture))
                throw new S3Error(400, "IncompleteBody", "You did not provide the number of bytes specified by the headers");
        }
        else if (hash.Length == 0)
        {
            throw new S3Error(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256");
        }
        else if (hash != "UNSIGNED-PAYLOAD" && hash != Convert.ToHexStringLower(SHA256.HashData(body)))
        {
            throw new S3Error(400, "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.");
        }

        foreach ((string name, string value) in checksums)
        {
            string? computed = name switch
            {
                "x-amz-checksum-sha256" => Convert.ToBase64String(SHA256.HashData(body)),
                "x-amz-checksum-crc32" => Convert.ToBase64String([.. Crc32.Hash(body).Reverse()]),
                "x-amz-checksum-algorithm" or "x-amz-checksum-type" => value,
                _ => null,
            };
            if (computed != value)
                throw new S3Error(400, "BadDigest", $"The {name} you specified did not match the calculated checksum.");
        }

        return body;
    }

    // size;chunk-signature=…\r\nbytes\r\n … 0;…\r\nname:value\r\n\r\n
    private static byte[] Unframe(byte[] sent, Dictionary<string, string> checksums)
    {
        using var body = new MemoryStream();
        int at = 0;
        while (true)
        {
            string head = Line(sent, ref at);
            if (!int.TryParse(head.Split(';')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out int size)
                || at + size > sent.Length)
                throw new S3Error(400, "InvalidChunkSizeError", "The size of a chunk is not valid");
            if (size == 0)
                break;
            body.Write(sent, at, size);
            at += size;
            if (Line(sent, ref at).Length > 0)
                throw new S3Error(400, "InvalidChunkSizeError", "A chunk is longer than it says");
        }

        while (at < sent.Length && Line(sent, ref at) is { Length: > 0 } trailer)
        {
            string[] pair = trailer.Split(':', 2);
            checksums[pair[0].ToLowerInvariant()] = pair[1];
        }

        checksums.Remove("x-amz-trailer-signature");
        return body.ToArray();
    }

    private static string Line(byte[] sent, ref int at)
    {
        int length = sent.AsSpan(at).IndexOf("\r\n"u8);
        if (length < 0)
            throw new S3Error(400, "IncompleteBody", "The body ends in the middle of a chunk");
        string line = Encoding.ASCII.GetString(sent, at, length);
        at += length + 2;
        return line;
    }
}
