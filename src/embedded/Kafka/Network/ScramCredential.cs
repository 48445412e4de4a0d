using System.Security.Cryptography;
using System.Text;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Network;

/// <summary>The SCRAM mechanisms, by Kafka's codes.</summary>
internal enum ScramMechanism : sbyte
{
    Sha256 = 1,
    Sha512 = 2,
}

/// <summary>What a server keeps of a password (RFC 5802): enough to check it, not enough to log in with.</summary>
internal sealed record ScramCredential(ScramMechanism Mechanism, int Iterations, byte[] Salt, byte[] StoredKey, byte[] ServerKey)
{
    public const int DefaultIterations = 4096;
    private const int MaxIterations = 16384;
    private const int SaltBytes = 24;

    public static HashAlgorithmName Hash(ScramMechanism mechanism) =>
        mechanism == ScramMechanism.Sha512 ? HashAlgorithmName.SHA512 : HashAlgorithmName.SHA256;

    public static string NameOf(ScramMechanism mechanism) => mechanism == ScramMechanism.Sha512 ? "SCRAM-SHA-512" : "SCRAM-SHA-256";

    public static byte[] Hmac(ScramMechanism mechanism, byte[] key, ReadOnlySpan<byte> data) =>
        mechanism == ScramMechanism.Sha512 ? HMACSHA512.HashData(key, data) : HMACSHA256.HashData(key, data);

    public static byte[] Digest(ScramMechanism mechanism, ReadOnlySpan<byte> data) =>
        mechanism == ScramMechanism.Sha512 ? SHA512.HashData(data) : SHA256.HashData(data);

    public static ScramCredential FromPassword(ScramMechanism mechanism, string password)
    {
        byte[] salt = RandomNumberGenerator.GetBytes(SaltBytes);
        int size = mechanism == ScramMechanism.Sha512 ? SHA512.HashSizeInBytes : SHA256.HashSizeInBytes;
        byte[] salted = Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(password), salt, DefaultIterations, Hash(mechanism), size);
        return FromSaltedPassword(mechanism, DefaultIterations, salt, salted);
    }

    public static ScramCredential FromSaltedPassword(
        ScramMechanism mechanism, int iterations, byte[] salt, ReadOnlySpan<byte> saltedPassword)
    {
        byte[] salted = saltedPassword.ToArray();
        return new ScramCredential(mechanism, iterations, salt, Digest(mechanism, Hmac(mechanism, salted, "Client Key"u8)),
            Hmac(mechanism, salted, "Server Key"u8));
    }

    /// <summary>Why a credential cannot be taken; null when it can.</summary>
    public static (ErrorCode, string?)? Check(string user, sbyte mechanism, int iterations) =>
        user.Length == 0 ? (ErrorCode.UnacceptableCredential, "Username must not be empty")
        : mechanism is not ((sbyte)ScramMechanism.Sha256 or (sbyte)ScramMechanism.Sha512)
        ? (ErrorCode.UnsupportedSaslMechanism, "Unknown SCRAM mechanism")
        : iterations < DefaultIterations ? (ErrorCode.UnacceptableCredential, "Too few iterations")
        : iterations > MaxIterations ? (ErrorCode.UnacceptableCredential, "Too many iterations")
        : null;
}
