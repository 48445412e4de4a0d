namespace KafkaEventSourcing.EventLog;

/// <summary>
/// A part that runs beside a node and is seen with it: its health is a line of the node's. Registered as a service, once for each part.
/// Thread-safe.
/// </summary>
public interface IApplicationPart
{
    /// <summary>A stable name in lower case, such as <c>streams:bank-streams</c>.</summary>
    string Name { get; }

    /// <summary>
    /// Why somebody should look; null: all is well. The node decides and answers without the part, which says so by log and metrics too. It
    /// is quick: it tells what is known, and asks no server.
    /// </summary>
    string? Trouble { get; }
}
