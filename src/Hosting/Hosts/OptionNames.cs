using System.Collections.Frozen;
using System.Reflection;
using KafkaEventSourcing.Archive;
using KafkaEventSourcing.Processing;
using Microsoft.Extensions.Configuration;

namespace KafkaEventSourcing.Hosting.Hosts;

/// <summary>
/// The names by which people know the properties of <see cref="KafkaEventSourcingOptions"/>: keys of the configuration, or what else sets
/// them.
/// </summary>
internal static class OptionNames
{
    private static readonly FrozenSet<string> Properties = typeof(KafkaEventSourcingOptions).GetProperties().Select(p => p.Name)
        .ToFrozenSet(StringComparer.Ordinal);

    /// <summary>What is wrong, as it is in the configuration below <paramref name="section"/>.</summary>
    public static InvalidInputException InConfiguration(InvalidInputException wrong, string section) =>
        Renamed(wrong, $"{section}:{wrong.Field}");

    /// <summary>
    /// Whether <paramref name="field"/> is a property; those of a section within, as <c>Processing:MaxBatchCommands</c>, are too.
    /// </summary>
    public static bool IsProperty(string field) => Properties.Contains(field.Split(':')[0]);

    /// <summary>
    /// Keys below <paramref name="section"/> that no property has: one that is misspelt would be taken as left out, and topics that were
    /// made with another number of partitions keep it.
    /// </summary>
    public static IEnumerable<InvalidInputException> Unknown(IConfiguration section) =>
        Unknown(section, "", typeof(KafkaEventSourcingOptions));

    // Properties that are sections with options of their own.
    private static readonly HashSet<Type> Sections =
        [typeof(ProcessingOptions), typeof(StateStoreOptions), typeof(ReadModelOptions), typeof(ArchiveOptions),
            typeof(PersonalDataOptions)];

    private static IEnumerable<InvalidInputException> Unknown(IConfiguration section, string path, Type type)
    {
        if (section is IConfigurationSection { Value: { Length: > 0 } text })
        {
            yield return Misshapen(path.TrimEnd(':'), $"is '{text}'; it is a section, with options of its own");
            yield break;
        }

        PropertyInfo[] properties = [.. type.GetProperties().Where(p => p.CanWrite || p.PropertyType.IsGenericType)];
        foreach (IConfigurationSection child in section.GetChildren())
        {
            string key = path + child.Key;
            if (Array.Find(properties, p => p.Name.Equals(child.Key, StringComparison.OrdinalIgnoreCase)) is not { } property)
                yield return new InvalidInputException(key, $"{key} is not an option; there are "
                    + $"{string.Join(", ", properties.Select(p => p.Name).Order(StringComparer.Ordinal))}.");
            else if (Sections.Contains(property.PropertyType))
                foreach (InvalidInputException within in Unknown(child, $"{property.Name}:", property.PropertyType))
                    yield return within;
            else if (ShapeProblem(child, property.PropertyType) is { } problem)
                yield return Misshapen(key, problem);
        }
    }

    // What has another shape than its option is taken as left out by the binder.
    private static string? ShapeProblem(IConfigurationSection child, Type type)
    {
        bool isSection = typeof(System.Collections.IEnumerable).IsAssignableFrom(type) && type != typeof(string);
        if (isSection)
            return child.Value is { Length: > 0 } text ? $"is '{text}'; it is a section, of names and their values" : null;
        if (child.GetChildren().Any())
            return "is a section or a list; it takes one value";
        return child.Value is null && type.IsValueType && Nullable.GetUnderlyingType(type) is null
            ? "is null; leave it out to have its default"
            : null;
    }

    private static InvalidInputException Misshapen(string key, string problem) =>
        key.Length > 0 ? new InvalidInputException(key, $"{key} {problem}.") : new InvalidInputException("", $"It {problem}.");

    /// <summary>What is wrong, under the <paramref name="name"/> that its reader knows.</summary>
    public static InvalidInputException Renamed(InvalidInputException wrong, string name) =>
        new(name, wrong.Message.StartsWith(wrong.Field, StringComparison.Ordinal)
            ? name + wrong.Message[wrong.Field.Length..]
            : $"{name}: {wrong.Message}", wrong);
}
