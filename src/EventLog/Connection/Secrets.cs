using System.Text.RegularExpressions;

namespace KafkaEventSourcing.EventLog;

/// <summary>Keeps secrets out of what people read: messages, logs, reports.</summary>
public static partial class Secrets
{
    /// <summary>What is in the place of a secret.</summary>
    public const string Hidden = "***";

    /// <summary><paramref name="text"/> with the passwords of addresses (<c>scheme://user:password@host</c>) hidden.</summary>
    public static string Redact(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Contains("://", StringComparison.Ordinal) ? PasswordOfAddress().Replace(text, $":{Hidden}@") : text;
    }

    /// <summary>Whether a setting of librdkafka, or of the registry client, is secret by its name.</summary>
    public static bool IsSecret(string setting)
    {
        ArgumentNullException.ThrowIfNull(setting);
        return Names().IsMatch(setting);
    }

    // A password may have a colon, a slash or an @ that nobody has escaped: it ends at the last @ of its word.
    [GeneratedRegex("""(?<=[A-Za-z][A-Za-z0-9+.-]*://[^\s:/@'"]*):[^\s'"]*@""")]
    private static partial Regex PasswordOfAddress();

    [GeneratedRegex("""password|secret|\.key\.pem|user\.info|oauthbearer\.config|sasl\.jaas|token""", RegexOptions.IgnoreCase)]
    private static partial Regex Names();
}
