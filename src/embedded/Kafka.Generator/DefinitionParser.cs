using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace KafkaEventSourcing.Embedded.Kafka.Generator;

/// <summary>Reads .kmsg files; their language is described in <c>src/embedded/Kafka/Protocol/README.md</c>.</summary>
internal static class DefinitionParser
{
    private static readonly HashSet<string> Primitives = new()
    {
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint16",
        "float64",
        "string",
        "bytes",
        "records",
        "uuid",
    };

    private static readonly char[] Blank = { ' ' };

    public static List<MessageDefinition> Parse(string text)
    {
        var messages = new List<MessageDefinition>();
        var open = new List<FieldDefinition>();
        string[] lines = text.Split('\n');
        for (int number = 1; number <= lines.Length; number++)
        {
            string line = lines[number - 1].TrimEnd();
            int comment = line.IndexOf('#');
            if (comment >= 0)
                line = line.Substring(0, comment).TrimEnd();
            if (line.Length == 0)
                continue;
            int indent = line.Length - line.TrimStart(' ').Length;
            string[] words = line.Split(Blank, StringSplitOptions.RemoveEmptyEntries);
            if (indent == 0)
            {
                messages.Add(Header(words, number));
                open.Clear();
                continue;
            }

            int depth = (indent / 2) - 1;
            if (indent % 2 != 0 || depth > open.Count || messages.Count == 0)
                throw new DefinitionException(number, "Fields are indented by two blanks a level, below a message.");
            FieldDefinition field = Field(words, number);
            open.RemoveRange(depth, open.Count - depth);
            (depth == 0 ? messages[messages.Count - 1].Fields : open[depth - 1].Fields).Add(field);
            open.Add(field);
        }

        foreach (MessageDefinition message in messages)
            Check(message.Fields);
        return messages;
    }

    private static MessageDefinition Header(string[] words, int line)
    {
        var message = new MessageDefinition { Kind = words[0] };
        int at = 2;
        if (message.Kind is not ("request" or "response" or "record") || words.Length < 3)
            throw new DefinitionException(line,
                "A message starts with: request Name key versions, response Name key versions, or record Name versions; then optionally "
                    + "flexible N.");
        message.Name = words[1];
        if (message.Kind != "record")
            message.Key = int.Parse(words[at++], CultureInfo.InvariantCulture);
        message.Versions = Versions.Parse(words[at++], line);
        if (at + 1 < words.Length && words[at] == "flexible")
            message.FlexibleFrom = int.Parse(words[at + 1], CultureInfo.InvariantCulture);
        return message;
    }

    private static FieldDefinition Field(string[] words, int line)
    {
        if (words.Length < 2)
            throw new DefinitionException(line, "A field has a name and a type.");
        string type = words[1];
        var field = new FieldDefinition { Name = words[0], Line = line };
        if (type.StartsWith("[]", StringComparison.Ordinal))
        {
            field.IsArray = true;
            type = type.Substring(2);
        }

        if (type.EndsWith("?", StringComparison.Ordinal))
        {
            field.IsNullable = true;
            type = type.Substring(0, type.Length - 1);
        }

        field.Type = type;
        for (int i = 2; i < words.Length; i++)
        {
            if (words[i] == "=")
                field.Default = words[++i];
            else if (words[i] == "tag")
                field.Tag = int.Parse(words[++i], CultureInfo.InvariantCulture);
            else
                field.Versions = Versions.Parse(words[i], line);
        }

        return field;
    }

    private static void Check(List<FieldDefinition> fields)
    {
        foreach (FieldDefinition field in fields)
        {
            if (field.IsStruct == Primitives.Contains(field.Type))
                throw new DefinitionException(field.Line, field.IsStruct
                    ? $"'{field.Type}' is a primitive type and cannot have fields."
                    : $"'{field.Type}' is not a type; a group of its own needs fields below it. "
                        + $"Types: {string.Join(", ", Primitives.OrderBy(p => p))}.");
            Check(field.Fields);
        }
    }
}
