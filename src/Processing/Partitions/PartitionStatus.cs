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

    /// <summary>
    /// A topic is not the one that this partition's state was made from, so nothing is decided or appended until an operator acts
    /// (<see cref="CommandProcessor.HaltedPartitions"/> tells why).
    /// </summary>
    Halted,
}
