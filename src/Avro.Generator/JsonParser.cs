using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>Reads JSON (RFC 8259). A source generator must not bring packages along, hence its own.</summary>
internal sealed class JsonParser
{
    private const int MaxDepth = 100;

    private readonly string _text;
    private int _at;
    private int _depth;

    private JsonParser(string text) => _text = text;

    public static JsonNode Parse(string text)
    {
        var parser = new JsonParser(text);
        JsonNode value = parser.Value();
        parser.Blank();
        return parser._at == text.Length ? value : throw new SchemaException("KESAVRO001", parser._at, "There is text behind the schema.");
    }

    private SchemaException Broken(string message) => new("KESAVRO001", _at, message);

    private void Blank()
    {
        while (_at < _text.Length && _text[_at] is ' ' or '\t' or '\r' or '\n' or '\uFEFF')
            _at++;
    }

    private char Peek()
    {
        Blank();
        return _at < _text.Length ? _text[_at] : throw Broken("The file ends in the middle of a value.");
    }

    private void Expect(char c, string where)
    {
        if (Peek() != c)
            throw Broken($"'{c}' is expected {where}, not '{_text[_at]}'.");
        _at++;
    }

    private JsonNode Value()
    {
        char c = Peek();
        if (++_depth > MaxDepth)
            throw Broken($"Values are nested deeper than {MaxDepth}.");
        JsonNode value = c switch
        {
            '{' => Object(),
            '[' => Array(),
            '"' => new JsonNode(JsonKind.Text, _at, Text()),
            't' => Literal("true", JsonKind.Boolean),
            'f' => Literal("false", JsonKind.Boolean),
            'n' => Literal("null", JsonKind.Null),
            _ => Number(),
        };
        _depth--;
        return value;
    }

    private JsonNode Object()
    {
        var node = new JsonNode(JsonKind.Object, _at++, "");
        var names = new HashSet<string>();
        if (Peek() == '}')
        {
            _at++;
            return node;
        }

        while (true)
        {
            if (Peek() != '"')
                throw Broken($"A member name in quotes is expected, not '{_text[_at]}'.");
            int start = _at;
            string name = Text();
            if (!names.Add(name))
            {
                _at = start;
                throw Broken($"The member '{name}' is given twice.");
            }

            Expect(':', $"after '{name}'");
            node.Members.Add(new KeyValuePair<string, JsonNode>(name, Value()));
            if (Peek() == '}')
            {
                _at++;
                return node;
            }

            Expect(',', "between members");
        }
    }

    private JsonNode Array()
    {
        var node = new JsonNode(JsonKind.Array, _at++, "");
        if (Peek() == ']')
        {
            _at++;
            return node;
        }

        while (true)
        {
            node.Items.Add(Value());
            if (Peek() == ']')
            {
                _at++;
                return node;
            }

            Expect(',', "between items");
        }
    }

    private string Text()
    {
        int start = _at++;
        var text = new StringBuilder();
        while (_at < _text.Length)
        {
            char c = _text[_at++];
            if (c == '"')
                return text.ToString();
            if (c < ' ')
            {
                _at--;
                throw Broken("A text has a line break or a control character in it.");
            }

            text.Append(c == '\\' ? Escape() : c);
        }

        _at = start;
        throw Broken("A text has no closing quote.");
    }

    private char Escape()
    {
        char c = _at < _text.Length ? _text[_at++] : '\0';
        switch (c)
        {
            case '"' or '\\' or '/':
                return c;
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u' when _at + 4 <= _text.Length
                && ushort.TryParse(_text.Substring(_at, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort code):
                _at += 4;
                return (char)code;
            default:
                _at--;
                throw Broken("A text has an unknown escape.");
        }
    }

    private JsonNode Literal(string word, JsonKind kind)
    {
        if (string.CompareOrdinal(_text, _at, word, 0, word.Length) != 0)
            throw Broken($"'{word}' is expected.");
        _at += word.Length;
        return new JsonNode(kind, _at - word.Length, word);
    }

    private JsonNode Number()
    {
        int start = _at;
        if (At('-'))
            _at++;
        bool isNumber = At('0') ? _at++ >= 0 : Digits();
        if (isNumber && At('.'))
        {
            _at++;
            isNumber = Digits();
        }

        if (isNumber && (At('e') || At('E')))
        {
            _at++;
            if (At('+') || At('-'))
                _at++;
            isNumber = Digits();
        }

        if (!isNumber)
        {
            _at = start;
            throw Broken($"A value is expected, not '{_text[start]}'.");
        }

        return new JsonNode(JsonKind.Number, start, _text.Substring(start, _at - start));
    }

    private bool At(char c) => _at < _text.Length && _text[_at] == c;

    private bool Digits()
    {
        int start = _at;
        while (_at < _text.Length && _text[_at] is >= '0' and <= '9')
            _at++;
        return _at > start;
    }
}
