namespace KafkaEventSourcing.Processing;

/// <summary>What a partition task is doing.</summary>
public enum PartitionStatus
{
    /// <summary>It fences the owner before it.</summary>
    Fencing,

    /// <summary>It brings its state to the end of the log.</summary>
    Restoring,

    /// <summary>It decides commands.</summary>
    Serving,

    /// <summary>It has ended.</summary>
    Stopped,
}
