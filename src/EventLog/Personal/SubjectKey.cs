using System.Security.Cryptography;
using System.Text;

namespace KafkaEventSourcing.EventLog;

/// <summary>One key of one subject. Thread-safe.</summary>
internal sealed class SubjectKey(string subject, byte[] id, string masterKey, byte[] wrapped)
{
    public const int IdBytes = 16;
    public const int KeyBytes = 32;
    private static readonly byte[] ForValues = "kes value"u8.ToArray();
    private static readonly byte[] ForNonces = "kes nonce"u8.ToArray();

    private readonly Lock _unwrapping = new();
    private byte[]? _values;
    private byte[]? _nonces;
    private bool _isDestroyed;

    public string Subject => subject;

    public byte[] Id => id;

    public string MasterKey { get; private set; } = masterKey;

    public byte[] Wrapped { get; private set; } = wrapped;

    /// <summary>What only this key may be unwrapped with.</summary>
    public static byte[] ContextOf(string subject, ReadOnlySpan<byte> id) =>
        [.. "kes subject key\n"u8, .. id, .. Encoding.UTF8.GetBytes(subject)];

    /// <summary>The same key, wrapped anew.</summary>
    public void Rewrap(string masterKey, byte[] wrapped)
    {
        lock (_unwrapping)
            (MasterKey, Wrapped) = (masterKey, wrapped);
    }

    /// <summary>
    /// The id, and (null: the key is destroyed) <paramref name="value"/> encrypted. The nonce is a keyed hash of field and value (as in RFC
    /// 8452, for the same reason): the same value gives the same bytes, so that a command sent twice is the same command, and no two values
    /// share a nonce.
    /// </summary>
    public byte[]? Seal(IMasterKeys masters, string field, ReadOnlySpan<byte> value)
    {
        if (Keys(masters) is not var (values, nonces))
            return null;
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, nonces);
        hash.AppendData(Encoding.UTF8.GetBytes(field + "\n"));
        hash.AppendData(value);
        byte[] nonce = hash.GetHashAndReset();
        return [.. id, .. SealedBytes.Encrypt(values, nonce.AsSpan(0, SealedBytes.NonceBytes), value, Associated())];
    }

    /// <summary>The value that it has sealed; null: the key is destroyed.</summary>
    /// <exception cref="CryptographicException">It was not sealed by this key, or was changed.</exception>
    public byte[]? Open(IMasterKeys masters, ReadOnlySpan<byte> sealedValue) =>
        Keys(masters) is var (values, _) ? SealedBytes.Decrypt(values, sealedValue[IdBytes..], Associated()) : null;

    /// <summary>Overwrites it in memory.</summary>
    public void Destroy()
    {
        lock (_unwrapping)
        {
            CryptographicOperations.ZeroMemory(_values);
            CryptographicOperations.ZeroMemory(_nonces);
            (_values, _nonces, _isDestroyed, Wrapped) = (null, null, true, []);
        }
    }

    public void Check(IMasterKeys masters) => Keys(masters);

    private byte[] Associated() => ContextOf(subject, id);

    // A master key of a service is asked for once a key; the caller waits.
    private (byte[] Values, byte[] Nonces)? Keys(IMasterKeys masters)
    {
        lock (_unwrapping)
        {
            if (_isDestroyed)
                return null;
            if (_values is not null && _nonces is not null)
                return ([.. _values], [.. _nonces]);
            byte[] key = masters.UnwrapAsync(MasterKey, Wrapped, ContextOf(subject, id)).AsTask().GetAwaiter().GetResult();
            _values = HKDF.Expand(HashAlgorithmName.SHA256, key, KeyBytes, ForValues);
            _nonces = HKDF.Expand(HashAlgorithmName.SHA256, key, KeyBytes, ForNonces);
            CryptographicOperations.ZeroMemory(key);
            return ([.. _values], [.. _nonces]);
        }
    }
}
