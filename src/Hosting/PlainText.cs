using System.Globalization;
using System.Text;

namespace KafkaEventSourcing.Hosting;

/// <summary>
/// Text of others in lines of ours: it must not begin a line, move the cursor, or turn the direction of what is beside it.
/// </summary>
public static class PlainText
{
    /// <summary>
    /// <paramref name="text"/> with control and format characters, and breaks of lines and paragraphs, as escapes such as <c>\n</c> and
    /// <c>\u001b</c>.
    /// </summary>
    public static string Escape(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int first = text.AsSpan().IndexOfAnyExceptInRange(' ', '~');
        if (first < 0)
            return text;
        var plain = new StringBuilder(text.Length + 16).Append(text, 0, first);
        foreach (char c in text.AsSpan(first))
        {
            switch (c)
            {
                case '\n':
                    plain.Append("\\n");
                    break;
                case '\r':
                    plain.Append("\\r");
                    break;
                case '\t':
                    plain.Append("\\t");
                    break;
                default:
                    if (char.GetUnicodeCategory(c) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
                        or UnicodeCategory.ParagraphSeparator)
                        plain.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
                    else
                        plain.Append(c);
                    break;
            }
        }

        return plain.ToString();
    }
}
