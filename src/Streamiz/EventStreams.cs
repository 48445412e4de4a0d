namespace KafkaEventSourcing.Streamiz;

/// <summary>Where the definition of derived streams begins.</summary>
public static class EventStreams
{
    /// <summary>Starts a definition.</summary>
    /// <param name="name">Its name, which is Kafka's group, the first part of the names of its topics, and a folder: a lower case letter,
    /// then lower case letters, digits and hyphens, at most 64. It must not change, and nothing else may have it.</param>
    /// <exception cref="InvalidInputException">The name is not of that form.</exception>
    public static EventStreamsBuilder Define(string name)
    {
        StreamNames.Check(name);
        return new EventStreamsBuilder(name);
    }
}
