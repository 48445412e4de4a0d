using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace KafkaEventSourcing.Avro.Generator;

internal enum JsonKind { Null, Boolean, Number, Text, Array, Object }

/// <summary>A JSON value that remembers where it stands, so that errors can name line and column.</summary>
internal sealed class JsonNode
{
    public JsonNode(JsonKind kind, int position, string raw)
    {
        Kind = kind;
        Position = position;
        Raw = raw;
    }

    public JsonKind Kind { get; }

    /// <summary>The character in the file where the value starts.</summary>
    public int Position { get; }

    /// <summary>Of a text its content, of a number, a boolean or null the characters as written.</summary>
    public string Raw { get; }

    public List<JsonNode> Items { get; } = new();

    public List<KeyValuePair<string, JsonNode>> Members { get; } = new();

    public JsonNode? this[string name]
    {
        get
        {
            foreach (KeyValuePair<string, JsonNode> member in Members)
            {
                if (member.Key == name)
                    return member.Value;
            }

            return null;
        }
    }

    public string? TextOf(string name) => this[name] is { Kind: JsonKind.Text } text ? text.Raw : null;

    public static void WriteText(StringBuilder output, string text)
    {
        output.Append('"');
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            bool isPair = char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]);
            if (c is '"' or '\\')
                output.Append('\\').Append(c);
            else if (isPair)
                output.Append(c).Append(text[++i]);
            else if (c < ' ' || char.IsSurrogate(c)) // half a character has no UTF-8
                output.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
            else
                output.Append(c);
        }

        output.Append('"');
    }
}
