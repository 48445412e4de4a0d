using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Embedded.SchemaRegistry;

/// <summary>Which earlier schemas a new one must get along with, and in which direction.</summary>
internal enum CompatibilityLevel
{
    None,
    Backward,
    BackwardTransitive,
    Forward,
    ForwardTransitive,
    Full,
    FullTransitive,
}

internal static class CompatibilityLevels
{
    private static readonly Dictionary<string, CompatibilityLevel> ByName = new()
    {
        ["NONE"] = CompatibilityLevel.None,
        ["BACKWARD"] = CompatibilityLevel.Backward,
        ["BACKWARD_TRANSITIVE"] = CompatibilityLevel.BackwardTransitive,
        ["FORWARD"] = CompatibilityLevel.Forward,
        ["FORWARD_TRANSITIVE"] = CompatibilityLevel.ForwardTransitive,
        ["FULL"] = CompatibilityLevel.Full,
        ["FULL_TRANSITIVE"] = CompatibilityLevel.FullTransitive,
    };

    private static readonly Dictionary<CompatibilityLevel, string> Names = ByName.ToDictionary(p => p.Value, p => p.Key);

    public static string Name(this CompatibilityLevel level) => Names[level];

    public static CompatibilityLevel Parse(string? name) =>
        name is not null && ByName.TryGetValue(name.ToUpperInvariant(), out CompatibilityLevel level)
            ? level
            : throw new RegistryException(42203,
                $"Invalid compatibility level. Valid values are {string.Join(", ", ByName.Keys.Order(StringComparer.Ordinal))}");

    /// <summary>
    /// Why <paramref name="candidate"/> does not get along with <paramref name="earlier"/> (oldest first); empty when it does.
    /// </summary>
    public static List<string> Check(this CompatibilityLevel level, AvroSchema candidate, IReadOnlyList<AvroSchema> earlier)
    {
        var problems = new List<string>();
        if (level == CompatibilityLevel.None)
            return problems;
        bool transitive = level is CompatibilityLevel.BackwardTransitive or CompatibilityLevel.ForwardTransitive
            or CompatibilityLevel.FullTransitive;
        bool backward = level is CompatibilityLevel.Backward or CompatibilityLevel.BackwardTransitive or CompatibilityLevel.Full
            or CompatibilityLevel.FullTransitive;
        bool forward = level is CompatibilityLevel.Forward or CompatibilityLevel.ForwardTransitive or CompatibilityLevel.Full
            or CompatibilityLevel.FullTransitive;
        foreach (AvroSchema other in transitive ? earlier : earlier.TakeLast(1))
        {
            if (backward)
                problems.AddRange(SchemaResolver.Problems(candidate, other).Select(p =>
                    $"The new schema cannot read data of an earlier one: {p}"));
            if (forward)
                problems.AddRange(SchemaResolver.Problems(other, candidate).Select(p =>
                    $"An earlier schema cannot read data of the new one: {p}"));
        }

        return problems;
    }
}
