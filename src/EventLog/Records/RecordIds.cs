using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Unicode;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Ids as keys and headers have them, in UTF-8. They are read strictly: other bytes must not become U+FFFD, as different ids would be one.
/// </summary>
internal static class RecordIds
{
    /// <summary>The text that <paramref name="bytes"/> are; false: they are not UTF-8.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out string? text)
    {
        text = Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : null;
        return text is not null;
    }

    /// <summary>The aggregate that a key names; false: it names none, and <paramref name="error"/> says why.</summary>
    public static bool TryReadAggregate(byte[]? key, out AggregateId id, [NotNullWhen(false)] out string? error)
    {
        if (key is null)
            return AggregateId.TryParse(null, out id, out error);
        if (TryDecode(key, out string? text))
            return AggregateId.TryParse(text, out id, out error);
        (id, error) = (default, "it is not UTF-8.");
        return false;
    }

    /// <summary>The aggregate that a key names; <c>default</c> when it names none.</summary>
    public static AggregateId AggregateOf(byte[]? key) => TryReadAggregate(key, out AggregateId id, out _) ? id : default;

    /// <summary>The command that a header names; <c>default</c> when it names none.</summary>
    public static CommandId CommandOf(byte[]? header) =>
        header is not null && TryDecode(header, out string? text) && CommandId.TryParse(text, out CommandId id, out _) ? id : default;
}
