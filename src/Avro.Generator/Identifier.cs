using System;
using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis.CSharp;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>What C# calls the things that schemas name: keywords are names in Avro, and Avro's names differ by case.</summary>
internal static class Identifier
{
    // Members that every record, or every generated one, has.
    private static readonly string[] Taken =
    [
        "Clone", "Equals", "GetHashCode", "ToString", "GetType", "MemberwiseClone", "Finalize", "ReferenceEquals", "EqualityContract",
        "PrintMembers", "Deconstruct", "_SCHEMA", "SchemaJson", "ReadFrom", "WriteTo",
    ];

    // Members of a union and of its branches.
    private static readonly string[] TakenInUnions = ["Value", "Match"];

    /// <summary>The name, escaped where it is a keyword, always or in places.</summary>
    public static string Of(string name) =>
        name == "_" || SyntaxFacts.GetKeywordKind(name) != SyntaxKind.None || SyntaxFacts.GetContextualKeywordKind(name) != SyntaxKind.None
            ? "@" + name
            : name;

    /// <summary>Whether each generated record has a member of that name.</summary>
    public static bool IsMember(string name) =>
        Taken.Contains(name) || (name.StartsWith("_f", StringComparison.Ordinal) && name.Length > 2 && name.Skip(2).All(char.IsDigit));

    /// <summary>The names of a path that dots divide, each escaped.</summary>
    public static string OfPath(string path) => string.Join(".", path.Split('.').Select(Of));

    /// <summary>
    /// The properties of the fields of <paramref name="type"/>, in their order: in upper case, as is usual, or as near to it as is free.
    /// They differ by more than case, as JSON has them in another case.
    /// </summary>
    public static IReadOnlyList<string> Properties(NamedType type)
    {
        HashSet<string> taken = TakenIn(type);
        var names = new string[type.Fields.Count];

        // A field that is written in upper case has its name, whatever comes before it.
        for (int i = 0; i < names.Length; i++)
        {
            if (Pascal(type.Fields[i].Name) == type.Fields[i].Name && taken.Add(type.Fields[i].Name))
                names[i] = Of(type.Fields[i].Name);
        }

        for (int i = 0; i < names.Length; i++)
            names[i] ??= Of(Free(Pascal(type.Fields[i].Name), "Value", taken));
        return names;
    }

    /// <summary>
    /// Names the unions in the fields of <paramref name="type"/> after their properties, and their branches after the types that they hold.
    /// </summary>
    public static void NameUnions(NamedType type)
    {
        IReadOnlyList<string> properties = Properties(type);
        HashSet<string> taken = TakenIn(type);
        taken.UnionWith(properties.Select(p => p.TrimStart('@')));
        for (int i = 0; i < properties.Count; i++)
            NameUnions(type.Fields[i].Type, properties[i].TrimStart('@'), type, taken);
    }

    private static void NameUnions(AvroType type, string path, NamedType owner, HashSet<string> taken)
    {
        if (type.Inner is not null)
            NameUnions(type.Inner, path, owner, taken);
        if (type.Kind != AvroKind.Union)
            return;
        string name = Free(path + "Union", "", taken);
        type.UnionName = $"{owner.ClrPath}.{name}";
        var branches = new HashSet<string>(Taken.Concat(TakenInUnions)) { name };
        foreach (UnionBranch branch in type.Branches)
        {
            string called = branch.Type.AvroName;
            string own = Pascal(called.Substring(called.LastIndexOf('.') + 1));
            branch.Name = Of(Free(own, "Branch", branches));
            NameUnions(branch.Type, path + own, owner, taken);
        }
    }

    private static HashSet<string> TakenIn(NamedType type)
    {
        var taken = new HashSet<string>(Taken, StringComparer.OrdinalIgnoreCase) { type.ClrName };
        for (int i = 0; i < type.Fields.Count; i++)
            taken.Add("_f" + i);
        return taken;
    }

    private static string Free(string name, string suffix, HashSet<string> taken) =>
        new[] { name, name + suffix }.Concat(Enumerable.Range(2, taken.Count + 1).Select(n => $"{name}{suffix}{n}")).First(taken.Add);

    private static string Pascal(string name) => name.Length > 0 && name[0] is >= 'a' and <= 'z'
        ? char.ToUpperInvariant(name[0]) + name.Substring(1)
        : name;
}
