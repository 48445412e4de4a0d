namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>The features that ApiVersions reports.</summary>
internal static class Features
{
    /// <summary>Their levels here, by their names.</summary>
    public static IReadOnlyDictionary<string, short> Levels { get; } = new Dictionary<string, short>
    {
        ["group.version"] = 1, ["transaction.version"] = 2,
    };
}
