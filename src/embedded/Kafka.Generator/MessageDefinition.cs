using System;
using System.Collections.Generic;
using System.Globalization;

namespace KafkaEventSourcing.Embedded.Kafka.Generator;

/// <summary>A line of a .kmsg file that cannot be understood: a build error at that line.</summary>
internal sealed class DefinitionException : Exception
{
    public DefinitionException(int line, string message) : base(message) => Line = line;

    public int Line { get; }
}

/// <summary>A range of versions; <see cref="To"/> is <see cref="short.MaxValue"/> for "and later".</summary>
internal readonly struct Versions
{
    public Versions(int from, int to)
    {
        From = from;
        To = to;
    }

    public int From { get; }

    public int To { get; }

    public static Versions Parse(string text, int line)
    {
        if (text.EndsWith("+", StringComparison.Ordinal)
            && int.TryParse(text.Substring(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out int from))
            return new Versions(from, short.MaxValue);
        string[] parts = text.Split('-');
        if (parts.Length <= 2 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out from)
            && int.TryParse(parts[parts.Length - 1], NumberStyles.None, CultureInfo.InvariantCulture, out int to) && from <= to)
        {
            return new Versions(from, to);
        }

        throw new DefinitionException(line, $"'{text}' is not a range of versions such as 3+, 0-2 or 4.");
    }
}

/// <summary>A field, or a group of fields that repeats.</summary>
internal sealed class FieldDefinition
{
    public string Name { get; set; } = "";

    /// <summary>Type without array marks and question mark.</summary>
    public string Type { get; set; } = "";

    public bool IsArray { get; set; }

    public bool IsNullable { get; set; }

    public Versions Versions { get; set; } = new(0, short.MaxValue);

    public string? Default { get; set; }

    /// <summary>The tag of a tagged field; -1 for others.</summary>
    public int Tag { get; set; } = -1;

    public int Line { get; set; }

    public List<FieldDefinition> Fields { get; } = new();

    public bool IsStruct => Fields.Count > 0;
}

/// <summary>One message: a request, a response, or a record of an internal topic.</summary>
internal sealed class MessageDefinition
{
    public string Kind { get; set; } = "";

    public string Name { get; set; } = "";

    public int Key { get; set; } = -1;

    public Versions Versions { get; set; }

    public int FlexibleFrom { get; set; } = short.MaxValue;

    public List<FieldDefinition> Fields { get; } = new();

    public string ClassName => Kind == "request" ? Name + "Request" : Kind == "response" ? Name + "Response" : Name;
}
