using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace KafkaEventSourcing.Embedded.Kafka.Network;

/// <summary>What a step of a login leads to: an answer to the client, and whether it is in; or the reason why it is not.</summary>
internal readonly record struct SaslStep(byte[] Answer, bool Done = false, string? Failure = null);

/// <summary>One login of one connection: SASL PLAIN (RFC 4616) or SCRAM (RFC 5802).</summary>
internal sealed class SaslSession(string mechanism, IReadOnlyDictionary<string, string> users, ScramStore scram)
{
    private const string Plain = "PLAIN";
    private const int ServerNonceBytes = 18;

    private ScramCredential? _credential;
    private string _clientFirstBare = "";
    private string _serverFirst = "";
    private string _nonce = "";
    private string _channel = "";

    public static IReadOnlyList<string> Mechanisms { get; } = [Plain, ScramCredential.NameOf(ScramMechanism.Sha256),
        ScramCredential.NameOf(ScramMechanism.Sha512)];

    public string User { get; private set; } = "";

    public SaslStep Step(ReadOnlySpan<byte> token)
    {
        string text = Encoding.UTF8.GetString(token);
        return mechanism == Plain ? StepPlain(text) : _credential is null ? StepFirst(text) : StepFinal(text);
    }

    private static SaslStep Fail(string reason) => new([], Failure: reason);

    private SaslStep StepPlain(string token)
    {
        string[] parts = token.Split('\0');
        if (parts.Length != 3)
            return Fail("Invalid SASL/PLAIN response: expected 3 tokens, got " + parts.Length.ToString(CultureInfo.InvariantCulture));
        (string authorized, string user, string password) = (parts[0], parts[1], parts[2]);
        bool known = users.TryGetValue(user, out string? expected);
        bool matches = CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(password), Encoding.UTF8.GetBytes(expected ?? ""));
        if (!known || !matches || user.Length == 0)
            return Fail("Authentication failed: Invalid username or password");
        if (authorized.Length > 0 && authorized != user)
            return Fail("Authentication failed: Client requested an authorization id that is different from username");
        User = user;
        return new SaslStep([], Done: true);
    }

    private SaslStep StepFirst(string token)
    {
        // gs2-cbind-flag "," [authzid] "," then the bare message
        string[] parts = token.Split(',', 3);
        if (parts.Length != 3 || parts[0] is not ("n" or "y"))
            return Fail("Invalid SCRAM client first message");
        Dictionary<string, string> fields = Fields(parts[2]);
        if (!fields.TryGetValue("n", out string? name) || !fields.TryGetValue("r", out string? clientNonce) || clientNonce.Length == 0)
            return Fail("Invalid SCRAM client first message");
        User = name.Replace("=2C", ",", StringComparison.Ordinal).Replace("=3D", "=", StringComparison.Ordinal);
        ScramMechanism kind = mechanism == ScramCredential.NameOf(ScramMechanism.Sha512) ? ScramMechanism.Sha512 : ScramMechanism.Sha256;
        if (scram.Find(User, kind) is not { } credential)
            return Fail("Authentication failed during authentication due to invalid credentials with SASL mechanism " + mechanism);
        _credential = credential;
        _channel = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{parts[0]},{parts[1]},"));
        _clientFirstBare = parts[2];
        _nonce = clientNonce + Convert.ToBase64String(RandomNumberGenerator.GetBytes(ServerNonceBytes)).Replace('=', 'x').Replace(',', 'y');
        _serverFirst = string.Create(CultureInfo.InvariantCulture,
            $"r={_nonce},s={Convert.ToBase64String(credential.Salt)},i={credential.Iterations}");
        return new SaslStep(Encoding.UTF8.GetBytes(_serverFirst));
    }

    private SaslStep StepFinal(string token)
    {
        Dictionary<string, string> fields = Fields(token);
        int proofAt = token.LastIndexOf(",p=", StringComparison.Ordinal);
        // librdkafka before 2.6 repeats its own nonce before ours; Kafka compares the end only, and so lets it in.
        bool sameNonce = fields.GetValueOrDefault("r")?.EndsWith(_nonce, StringComparison.Ordinal) == true;
        if (proofAt < 0 || fields.GetValueOrDefault("c") != _channel || !sameNonce)
            return Fail("Invalid SCRAM client final message");
        byte[] proof = new byte[token.Length];
        byte[] signed = Encoding.UTF8.GetBytes($"{_clientFirstBare},{_serverFirst},{token[..proofAt]}");
        byte[] clientKey = ScramCredential.Hmac(_credential!.Mechanism, _credential.StoredKey, signed);
        if (!Convert.TryFromBase64String(fields["p"], proof, out int length) || length != clientKey.Length)
            return Fail("Invalid SCRAM client final message");
        for (int i = 0; i < clientKey.Length; i++)
            clientKey[i] ^= proof[i];
        if (!CryptographicOperations.FixedTimeEquals(ScramCredential.Digest(_credential.Mechanism, clientKey), _credential.StoredKey))
            return Fail("Authentication failed during authentication due to invalid credentials with SASL mechanism " + mechanism);
        byte[] signature = ScramCredential.Hmac(_credential.Mechanism, _credential.ServerKey, signed);
        return new SaslStep(Encoding.UTF8.GetBytes("v=" + Convert.ToBase64String(signature)), Done: true);
    }

    private static Dictionary<string, string> Fields(string message) =>
        message.Split(',').Where(f => f.Length > 1 && f[1] == '=').DistinctBy(f => f[0]).ToDictionary(f => f[..1], f => f[2..]);
}
