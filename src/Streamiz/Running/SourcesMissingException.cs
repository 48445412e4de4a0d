namespace KafkaEventSourcing.Streamiz;

/// <summary>Topics of events that streams read are not there yet: nothing is wrong, and they are waited for.</summary>
/// <param name="missing">Which, and who makes them.</param>
internal sealed class SourcesMissingException(string missing) : Exception(missing);
