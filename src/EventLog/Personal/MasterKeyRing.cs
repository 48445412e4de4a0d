using System.Security.Cryptography;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Master keys in memory, from a text: one a line, an id, a colon, and 32 bytes in base64; the first wraps, the others still unwrap. Wraps
/// with AES-256-GCM. Thread-safe.
/// </summary>
public sealed class MasterKeyRing : IMasterKeys
{
    private const int KeyBytes = 32;
    private const int MaxIdLength = 128;

    private readonly Dictionary<string, byte[]> _keys;

    private MasterKeyRing(string currentId, Dictionary<string, byte[]> keys) => (CurrentId, _keys) = (currentId, keys);

    /// <inheritdoc/>
    public string CurrentId { get; }

    /// <summary>The keys of a file.</summary>
    /// <exception cref="InvalidInputException">It cannot be read, or is no such text; nothing of it is repeated but ids.</exception>
    public static MasterKeyRing Load(string path)
    {
        try
        {
            return Parse(File.ReadAllText(path), $"the file {path}");
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new InvalidInputException("MasterKeyFile", $"MasterKeyFile: the file {path} cannot be read: {unreadable.Message}",
                unreadable);
        }
    }

    /// <summary>The keys of a text; lines that are empty or begin with # are left out.</summary>
    /// <param name="text">The text.</param>
    /// <param name="source">Where it is from, for errors.</param>
    /// <exception cref="InvalidInputException">It is no such text; nothing of it is repeated but ids.</exception>
    public static MasterKeyRing Parse(string text, string source)
    {
        ArgumentNullException.ThrowIfNull(text);
        var keys = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        string? first = null;
        int number = 0;
        foreach (string raw in text.Split('\n'))
        {
            number++;
            string line = raw.Trim();
            if (line.Length == 0 || line[0] == '#')
                continue;
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            string id = colon < 0 ? "" : line[..colon].Trim();
            if (id.Length is 0 or > MaxIdLength || !id.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_'))
                throw Wrong(number, source, "must begin with the id of a key, of letters, digits, dots, hyphens and underscores, and a "
                    + "colon, such as 2026-12:");
            byte[] key = new byte[KeyBytes];
            if (!Convert.TryFromBase64String(line[(colon + 1)..].Trim(), key, out int length) || length != KeyBytes)
                throw Wrong(number, source, $"must have {KeyBytes} random bytes in base64 behind '{id}:', as 'openssl rand -base64 32' "
                    + "prints them.");
            if (!keys.TryAdd(id, key))
                throw Wrong(number, source, $"has the id '{id}', which an earlier line has.");
            first ??= id;
        }

        return new MasterKeyRing(first ?? throw Wrong(1, source, "must be a master key: id:base64."), keys);
    }

    /// <inheritdoc/>
    public ValueTask<byte[]> WrapAsync(ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> context,
        CancellationToken cancellationToken = default)
    {
        byte[] nonce = RandomNumberGenerator.GetBytes(SealedBytes.NonceBytes);
        return ValueTask.FromResult(SealedBytes.Encrypt(_keys[CurrentId], nonce, key.Span, context.Span));
    }

    /// <inheritdoc/>
    public ValueTask<byte[]> UnwrapAsync(string masterKeyId, ReadOnlyMemory<byte> wrapped, ReadOnlyMemory<byte> context,
        CancellationToken cancellationToken = default)
    {
        if (!_keys.TryGetValue(masterKeyId, out byte[]? master))
            throw new MasterKeyException(masterKeyId,
                $"The master key '{masterKeyId}' is missing: keys of subjects are wrapped with it. Here "
                    + $"are {string.Join(", ", _keys.Keys)}.");
        try
        {
            return ValueTask.FromResult(SealedBytes.Decrypt(master, wrapped.Span, context.Span));
        }
        catch (CryptographicException other)
        {
            throw new MasterKeyException(masterKeyId,
                $"The master key '{masterKeyId}' is not the one that has wrapped the keys of subjects: give back the one that has.", other);
        }
    }

    private static InvalidInputException Wrong(int line, string source, string what) =>
        new("MasterKey", $"MasterKey: line {line} of {source} {what}");
}
