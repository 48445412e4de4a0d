using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis.CSharp;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>What C# calls the things that schemas name: keywords are names in Avro, and Avro's names differ by case.</summary>
internal static class Identifier
{
    // Members that every record, or every generated one, has.
    private static readonly HashSet<string> Taken =
    [
        "Clone", "Equals", "GetHashCode", "ToString", "GetType", "MemberwiseClone", "Finalize", "ReferenceEquals", "EqualityContract",
        "PrintMembers",
        "_SCHEMA", "SchemaJson", "ReadFrom", "WriteTo",
    ];

    /// <summary>The name, escaped where it is a keyword, always or in places.</summary>
    public static string Of(string name) =>
        SyntaxFacts.GetKeywordKind(name) != SyntaxKind.None || SyntaxFacts.GetContextualKeywordKind(name) != SyntaxKind.None
            ? "@" + name
            : name;

    /// <summary>The names of a path that dots divide, each escaped.</summary>
    public static string OfPath(string path) => string.Join(".", path.Split('.').Select(Of));

    /// <summary>
    /// The properties of the fields of <paramref name="type"/>, in their order: in upper case, as is usual, or as near to it as is free.
    /// </summary>
    public static IReadOnlyList<string> Properties(NamedType type)
    {
        var taken = new HashSet<string>(Taken) { type.Name };
        for (int i = 0; i < type.Fields.Count; i++)
            taken.Add("_f" + i);
        var names = new string[type.Fields.Count];

        // A field that is written in upper case has its name, whatever comes before it.
        for (int i = 0; i < names.Length; i++)
        {
            if (Pascal(type.Fields[i].Name) == type.Fields[i].Name && taken.Add(type.Fields[i].Name))
                names[i] = Of(type.Fields[i].Name);
        }

        for (int i = 0; i < names.Length; i++)
        {
            if (names[i] is not null)
                continue;
            string name = type.Fields[i].Name;
            string free = new[] { Pascal(name), Pascal(name) + "Value" }.Concat(
                Enumerable.Range(2, type.Fields.Count + Taken.Count).Select(n => $"{Pascal(name)}Value{n}")).First(taken.Add);
            names[i] = Of(free);
        }

        return names;
    }

    private static string Pascal(string name) => name.Length > 0 && name[0] is >= 'a' and <= 'z'
        ? char.ToUpperInvariant(name[0]) + name.Substring(1)
        : name;
}
