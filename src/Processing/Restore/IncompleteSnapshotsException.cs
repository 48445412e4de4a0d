namespace KafkaEventSourcing.Processing;

/// <summary>
/// An event shows that the snapshots of event streams that a store was filled with lack events before it: the store is of no use, and the
/// events have all.
/// </summary>
internal sealed class IncompleteSnapshotsException(string message) : Exception(message);
