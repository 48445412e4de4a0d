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

    /// <summary>
    /// Checks that neither the application nor one of its consumer groups is called as the definition: topics of the one could be those of
    /// the other, and members of one group share partitions.
    /// </summary>
    /// <exception cref="InvalidInputException">One is.</exception>
    public static void CheckIsFree(string name, string application, IEnumerable<string> groups)
    {
        if (name == application)
            throw new InvalidInputException("streams",
                $"The name '{name}' of event streams is that of the application: their topics would be named as the application's are, and "
                    + $"no tool could tell them apart. Give the streams another name, such as '{name}-streams'.");
        if (groups.Contains(name, StringComparer.Ordinal))
            throw new InvalidInputException("streams",
                $"The name '{name}' of event streams is that of a consumer group of the application: its nodes and the streams would take "
                    + $"partitions from one another. Give the streams another name.");
    }

    /// <summary>Checks that the topics of two definitions are not taken for one another's: a reset would empty the other one's.</summary>
    /// <exception cref="InvalidOperationException">One is.</exception>
    public static void CheckAreApart(EventStreamsDefinition one, EventStreamsDefinition other)
    {
        (EventStreamsDefinition longer, EventStreamsDefinition shorter) = one.Name.Length > other.Name.Length ? (one, other) : (other, one);
        // A topic is of the longest name that it begins with.
        if (shorter.Topics.FirstOrDefault(t => t.StartsWith(longer.Name, StringComparison.Ordinal) && t[longer.Name.Length] is '-' or '.')
            is { } taken)
            throw new InvalidOperationException($"The topic {taken} of the event streams '{shorter.Name}' begins as those of "
                + $"'{longer.Name}' do, and would be taken for one of them: give the streams, or that part, another name.");
    }

    /// <summary>Checks the name of a part of the definition <paramref name="definition"/>.</summary>
    /// <exception cref="InvalidInputException">It is not of the form.</exception>
    public static void CheckPart(string definition, string name)
    {
        if (!IsOfTheForm(name))
            throw new InvalidInputException("streams",
                $"The name '{name}' of a part of '{definition}' must start with a lower case letter and have at most {MaxLength} lower "
                    + $"case letters, digits and hyphens: it becomes part of topic names.");
        if (name == EventStreamsDefinition.ReadTopicsPart)
            throw new InvalidInputException("streams",
                $"No part of '{definition}' can be called '{name}': a topic of that name says which topics of events were read.");
    }

    private static bool IsOfTheForm(string? name) =>
        name is { Length: > 0 and <= MaxLength } && char.IsAsciiLetterLower(name[0])
            && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-');
}
