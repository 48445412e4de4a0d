namespace KafkaEventSourcing;

/// <summary>What a read of an aggregate promises.</summary>
public enum ReadConsistency
{
    /// <summary>
    /// It includes every event that was committed before the call, and its answer comes from a writer that Kafka has accepted since: a
    /// deposed owner cannot answer.
    /// </summary>
    Strong,

    /// <summary>It is a state that was current at some time, from the owner or from a warm copy; it costs no transaction.</summary>
    Eventual,
}
