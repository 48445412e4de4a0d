using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text.Json;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>
/// What can be seen of a definition from outside: its kind, the events that it handles, and the fields of its documents with their types.
/// Two definitions of one shape may fold differently; two of different shapes do.
/// </summary>
internal static class ReadModelShape
{
    private const int MostFields = 500; // of a document type that nests others over and over

    /// <summary>The lines of the shape of <paramref name="projection"/>, in order.</summary>
    public static IReadOnlyList<string> Of(ProjectionDefinition projection)
    {
        var fields = new List<string>();
        AddFields(projection.DocumentType, "", [], fields);
        return [$"kind {projection.Kind}",
            .. projection.EventTypes.Select(e => $"event {e.FullName}").Concat(fields).Distinct().Order(StringComparer.Ordinal)];
    }

    /// <summary>What differs between two shapes, in words; null: nothing.</summary>
    public static string? Difference(IReadOnlyCollection<string> before, IReadOnlyCollection<string> now)
    {
        string[] gone = [.. before.Except(now)];
        string[] added = [.. now.Except(before)];
        return (gone, added) switch
        {
            ([], []) => null,
            ([], _) => $"new: {Listed(added)}",
            (_, []) => $"gone: {Listed(gone)}",
            _ => $"gone: {Listed(gone)}; new: {Listed(added)}",
        };
    }

    private static string Listed(string[] lines)
    {
        const int most = 5;
        return string.Join(", ", lines.Take(most))
            + (lines.Length > most ? string.Create(CultureInfo.InvariantCulture, $" and {lines.Length - most} more") : "");
    }

    private static void AddFields(Type type, string path, HashSet<Type> within, List<string> fields)
    {
        if (!within.Add(type))
            return; // it holds itself
        foreach (PropertyInfo property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p =>
            p.GetIndexParameters().Length == 0 && p.Name != "EqualityContract"))
        {
            if (fields.Count >= MostFields)
                break;
            string name = path + JsonNamingPolicy.CamelCase.ConvertName(property.Name);
            fields.Add($"field {name}: {NameOf(property.PropertyType)}");
            foreach (Type nested in Nested(property.PropertyType))
                AddFields(nested, name + ".", within, fields);
        }

        within.Remove(type);
    }

    // The types of the user's own that a value of the type holds.
    private static IEnumerable<Type> Nested(Type type) =>
        type.IsArray ? Nested(type.GetElementType()!)
        : type.IsGenericType && (typeof(IEnumerable).IsAssignableFrom(type) || Nullable.GetUnderlyingType(type) is not null)
        ? type.GetGenericArguments().SelectMany(Nested)
        : type.IsPrimitive
            || type.IsEnum
            || type.Namespace is "System"
            || type.Namespace?.StartsWith("System.", StringComparison.Ordinal) == true
            || typeof(IEnumerable).IsAssignableFrom(type) ? []
        : [type];

    private static string NameOf(Type type) =>
        type.IsArray ? $"{NameOf(type.GetElementType()!)}[]"
        : type.IsGenericType
        ? $"{type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)]}<{string.Join(", ", type.GetGenericArguments().Select(NameOf))}>"
        : type.Name;
}
