using System.Text;

namespace KafkaEventSourcing;

/// <summary>What every id must be: it travels as record key, header, URL segment and document key.</summary>
internal static class IdentifierRules
{
    public static string? Check(string? text, string what, int maxBytes)
    {
        if (string.IsNullOrEmpty(text))
            return $"The {what} is empty.";

        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (char.IsControl(c))
                return $"The {what} has the control character U+{(int)c:X4}.";
            if (!char.IsSurrogate(c))
                continue;
            // Half a pair has no UTF-8; encoders would put U+FFFD in its place, and different ids would become one.
            if (!char.IsHighSurrogate(c) || i + 1 == text.Length || !char.IsLowSurrogate(text[i + 1]))
                return $"The {what} has the lone surrogate U+{(int)c:X4}, which is half a character; it must be valid Unicode.";
            i++;
        }

        int bytes = Encoding.UTF8.GetByteCount(text);
        return bytes > maxBytes ? $"The {what} has {bytes} bytes of UTF-8; at most {maxBytes} are allowed." : null;
    }
}
