namespace KafkaEventSourcing.Streamiz;

/// <summary>Which names definitions and their parts may have.</summary>
internal static class StreamNames
{
    private const int MaxLength = 64;

    /// <summary>Checks the name of a definition.</summary>
    /// <exception cref="InvalidInputException">It is not of the form.</exception>
    public static void Check(string name)
    {
        if (!IsOfTheForm(name))
            throw new InvalidInputException("streams",
                $"The name '{name}' of event streams must start with a lower case letter and have at most {MaxLength} lower case letters, "
                    + $"digits and hyphens: it becomes a consumer group, a folder, and part of topic names.");
    }

    /// <summary>Checks that no consumer group of the application is called as the definition: its members would share partitions.</summary>
    /// <exception cref="InvalidInputException">One is.</exception>
    public static void CheckIsFree(string name, IEnumerable<string> groups)
    {
        if (groups.Contains(name, StringComparer.Ordinal))
            throw new InvalidInputException("streams",
                $"The name '{name}' of event streams is that of a consumer group of the application: its nodes and the streams would take "
                    + $"partitions from one another. Give the streams another name.");
    }

    /// <summary>Checks the name of a part of the definition <paramref name="definition"/>.</summary>
    /// <exception cref="InvalidInputException">It is not of the form.</exception>
    public static void CheckPart(string definition, string name)
    {
        if (!IsOfTheForm(name))
            throw new InvalidInputException("streams",
                $"The name '{name}' of a part of '{definition}' must start with a lower case letter and have at most {MaxLength} lower "
                    + $"case letters, digits and hyphens: it becomes part of topic names.");
    }

    private static bool IsOfTheForm(string? name) =>
        name is { Length: > 0 and <= MaxLength } && char.IsAsciiLetterLower(name[0])
            && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-');
}
