using System.Collections.Frozen;

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

    /// <summary>What is wrong, under the <paramref name="name"/> that its reader knows.</summary>
    public static InvalidInputException Renamed(InvalidInputException wrong, string name) =>
        new(name, wrong.Message.StartsWith(wrong.Field, StringComparison.Ordinal)
            ? name + wrong.Message[wrong.Field.Length..]
            : $"{name}: {wrong.Message}", wrong);
}
