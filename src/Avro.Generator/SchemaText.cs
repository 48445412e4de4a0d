using System.Collections.Generic;
using System.Text;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>
/// The schema of a type as one text: named types stand where they are used first, by name afterwards.
/// </summary>
internal sealed class SchemaText
{
    // Of JSON's arrays and objects; what reads schemas while a program runs takes 512.
    private const int MaxDepth = 500;

    private readonly SchemaSet _schemas;
    private readonly NamedType _type;
    private readonly StringBuilder _output = new();
    private readonly HashSet<string> _written = new();
    private int _depth;

    private SchemaText(SchemaSet schemas, NamedType type)
    {
        _schemas = schemas;
        _type = type;
    }

    /// <exception cref="SchemaException">With the types of other files in it, it is nested too deep.</exception>
    public static string Of(NamedType type, SchemaSet schemas)
    {
        var text = new SchemaText(schemas, type);
        text.Write(type.Node, type.Namespace, inType: true);
        return text._output.ToString();
    }

    private void Write(JsonNode node, string space, bool inType)
    {
        if (++_depth > MaxDepth)
            throw new SchemaException("KESAVRO006", _type.Node.Position,
                $"The schema of {_type.FullName} is nested deeper than {MaxDepth}, with the types of other files in it.");
        switch (node.Kind)
        {
            case JsonKind.Text when inType
                && Scalars.Primitive(node.Raw) is null
                && node.Raw is not ("null" or "record" or "enum" or "array" or "map" or "fixed"):
                NamedType named = _schemas.Find(node, node.Raw, space);
                if (_written.Contains(named.FullName))
                    JsonNode.WriteText(_output, named.FullName);
                else
                    Write(named.Node, named.Namespace, inType: true);
                break;
            case JsonKind.Text:
                JsonNode.WriteText(_output, node.Raw);
                break;
            case JsonKind.Array:
                _output.Append('[');
                for (int i = 0; i < node.Items.Count; i++)
                {
                    if (i > 0)
                        _output.Append(',');
                    Write(node.Items[i], space, inType);
                }

                _output.Append(']');
                break;
            case JsonKind.Object:
                WriteObject(node, space, inType);
                break;
            default:
                _output.Append(node.Raw);
                break;
        }

        _depth--;
    }

    private void WriteObject(JsonNode node, string space, bool inType)
    {
        string? fullName = null;
        if (inType && node.TextOf("type") is "record" or "enum" or "fixed")
        {
            fullName = SchemaSet.FullName(node, space);
            if (!_written.Add(fullName))
            {
                JsonNode.WriteText(_output, fullName); // named before it is defined
                return;
            }

            space = fullName.Substring(0, fullName.LastIndexOf('.'));
        }

        _output.Append('{');
        bool first = true;
        foreach (KeyValuePair<string, JsonNode> member in node.Members)
        {
            if (fullName is not null && member.Key == "namespace")
                continue;
            if (!first)
                _output.Append(',');
            first = false;
            JsonNode.WriteText(_output, member.Key);
            _output.Append(':');
            if (fullName is not null && member.Key == "name")
            {
                JsonNode.WriteText(_output, fullName.Substring(fullName.LastIndexOf('.') + 1));
                _output.Append(",\"namespace\":");
                JsonNode.WriteText(_output, space);
            }
            else if (fullName is not null && member.Key == "fields")
            {
                WriteFields(member.Value, space);
            }
            else
            {
                Write(member.Value, space, inType && member.Key is "type" or "items" or "values");
            }
        }

        _output.Append('}');
    }

    private void WriteFields(JsonNode fields, string space)
    {
        _output.Append('[');
        for (int i = 0; i < fields.Items.Count; i++)
        {
            _output.Append(i > 0 ? ",{" : "{");
            for (int m = 0; m < fields.Items[i].Members.Count; m++)
            {
                KeyValuePair<string, JsonNode> member = fields.Items[i].Members[m];
                if (m > 0)
                    _output.Append(',');
                JsonNode.WriteText(_output, member.Key);
                _output.Append(':');
                Write(member.Value, space, member.Key == "type");
            }

            _output.Append('}');
        }

        _output.Append(']');
    }
}
