using System.Security.Cryptography;
using System.Text;

namespace KafkaEventSourcing.Hosting;

/// <summary>
/// What the nodes of an application know and nobody else: each shows it when it asks another one, and refuses whoever does not (HTTP 401).
/// It goes over the wire as it is, so that networks that others can listen to need https between nodes. Its text hides it.
/// </summary>
public sealed class NodeSecret
{
    private const int MinLength = 16;
    private const int MaxLength = 1024;
    private const string Scheme = "Kes-Node ";

    private readonly byte[] _hash;

    private NodeSecret(string secret)
    {
        Authorization = Scheme + secret;
        _hash = Hash(Authorization);
    }

    /// <summary>The value of the <c>Authorization</c> header by which a node shows it.</summary>
    internal string Authorization { get; }

    /// <summary>A secret of 16 to 1,024 visible ASCII characters.</summary>
    /// <exception cref="InvalidInputException">It is shorter, longer, or has other characters; the message does not repeat it.</exception>
    public static NodeSecret Parse(string secret)
    {
        ArgumentNullException.ThrowIfNull(secret);
        return secret.Length is >= MinLength and <= MaxLength && secret.All(c => c is > ' ' and < '\u007f')
            ? new NodeSecret(secret)
            : throw new InvalidInputException("NodeSecret",
                $"NodeSecret has {secret.Length} characters, or other ones than visible ASCII; it must have {MinLength} to {MaxLength}, "
                    + $"such as those that 'openssl rand -hex 32' prints.");
    }

    /// <inheritdoc/>
    public override string ToString() => "***";

    // Hashes are of one length, so that the time of the comparison tells nothing.
    internal bool IsShownBy(string? authorization) =>
        authorization is not null && CryptographicOperations.FixedTimeEquals(Hash(authorization), _hash);

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
