using System;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>
/// A type whose values are one value in C#, with the C# that reads, writes and converts them. In what takes a value, that is an expression;
/// a place is where errors say that the value is, as a literal.
/// </summary>
internal sealed class Scalar
{
    public Scalar(string avroName, string csharp, string read, Func<string, string, string> write)
    {
        AvroName = avroName;
        CSharp = csharp;
        Read = read;
        Write = write;
    }

    /// <summary>What a union calls it: the type without its logical type, or the full name of a fixed.</summary>
    public string AvroName { get; }

    public string CSharp { get; }

    public bool IsValueType => CSharp is not ("string" or "byte[]");

    /// <summary>The expression that reads a value.</summary>
    public string Read { get; }

    /// <summary>The statement that writes a value, without its semicolon.</summary>
    public Func<string, string, string> Write { get; }

    /// <summary>The value as the schema has room for it; null: each value is as it is.</summary>
    public Func<string, string>? Kept { get; set; }

    /// <summary>What Apache.Avro expects in its object form; null: the value itself.</summary>
    public Func<string, string, string>? Boxed { get; set; }

    /// <summary>The value of that; null: a cast.</summary>
    public Func<string, string>? Unboxed { get; set; }

    /// <summary>The condition that an object is such a value in Apache.Avro's form; null: that it is of the C# type.</summary>
    public Func<string, string>? IsBoxed { get; set; }

    /// <summary>The same, but for Apache.Avro a plain number; null: it is one by itself, or never one.</summary>
    public Scalar? AsNumber { get; set; }

    /// <summary>Whether a default is a value, in Avro and in C#.</summary>
    public Func<JsonNode, bool> Fits { get; set; } = _ => false;

    /// <summary>The expression of a default that fits.</summary>
    public Func<JsonNode, string> Default { get; set; } = value => value.Raw;

    /// <summary>Whether a value takes no byte.</summary>
    public bool IsEmpty { get; set; }

    /// <summary>Whether equality is by content, which C# does not see.</summary>
    public bool IsBytes => CSharp == "byte[]";
}
