using System.Security.Cryptography;

namespace KafkaEventSourcing.EventLog;

/// <summary>AES-256-GCM with nonce, encrypted bytes and tag in one.</summary>
internal static class SealedBytes
{
    public const int NonceBytes = 12;
    private const int TagBytes = 16;

    public static byte[] Encrypt(byte[] key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> value, ReadOnlySpan<byte> associated)
    {
        byte[] output = new byte[NonceBytes + value.Length + TagBytes];
        nonce.CopyTo(output);
        using var aes = new AesGcm(key, TagBytes);
        aes.Encrypt(nonce, value, output.AsSpan(NonceBytes, value.Length), output.AsSpan(NonceBytes + value.Length), associated);
        return output;
    }

    /// <exception cref="CryptographicException">It was encrypted with another key or other associated data, or was changed.</exception>
    public static byte[] Decrypt(byte[] key, ReadOnlySpan<byte> data, ReadOnlySpan<byte> associated)
    {
        if (data.Length < NonceBytes + TagBytes)
            throw new CryptographicException($"It has {data.Length} bytes; at least {NonceBytes + TagBytes} are needed.");
        byte[] value = new byte[data.Length - NonceBytes - TagBytes];
        using var aes = new AesGcm(key, TagBytes);
        aes.Decrypt(data[..NonceBytes], data.Slice(NonceBytes, value.Length), data[^TagBytes..], value, associated);
        return value;
    }
}
