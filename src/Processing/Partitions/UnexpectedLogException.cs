namespace KafkaEventSourcing.Processing;

/// <summary>
/// A topic is not the one that this node left: it was made again, or it has lost records. Nothing that depends on it may go on.
/// </summary>
internal sealed class UnexpectedLogException(string topic, string message) : Exception(message)
{
    public string Topic => topic;
}
