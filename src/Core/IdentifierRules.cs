using System.Text;

namespace KafkaEventSourcing;

/// <summary>What every id must be: it travels as record key, header, URL segment and document key.</summary>
internal static class IdentifierRules
{
    public static string? Check(string? text, string what, int maxBytes)
    {
        if (string.IsNullOrEmpty(text))
            return $"The {what} is empty.";

        foreach (char c in text)
        {
            if (char.IsControl(c))
                return $"The {what} has the control character U+{(int)c:X4}.";
        }

        int bytes = Encoding.UTF8.GetByteCount(text);
        return bytes > maxBytes ? $"The {what} has {bytes} bytes of UTF-8; at most {maxBytes} are allowed." : null;
    }
}
