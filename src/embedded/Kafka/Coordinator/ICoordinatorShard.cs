namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// The state of a coordinator. It is changed by records, by the same code at run time and at recovery. Used under the runtime's lock.
/// </summary>
internal interface ICoordinatorShard
{
    /// <summary>Applies a record; <paramref name="producerId"/> is that of its transaction, -1 without one.</summary>
    void Replay(CoordinatorRecord record, long producerId);

    /// <summary>Applies the end of a producer's transaction.</summary>
    void ReplayEndTransactionMarker(long producerId, bool commit);

    /// <summary>The log is read: deadlines start.</summary>
    void OnLoaded();
}
