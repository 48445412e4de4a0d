namespace KafkaEventSourcing.Chaos.Faults;

/// <summary>What can be done to a running system. The names are those of <c>--faults</c>, in kebab case.</summary>
internal enum FaultKind
{
    /// <summary><c>kill -9</c> of a node; it is started again on its data.</summary>
    KillNode,

    /// <summary><c>kill -9</c> of a node, which loses its data folder too.</summary>
    WipeNode,

    /// <summary>SIGTERM to a node, which hands over; it is started again.</summary>
    EndNode,

    /// <summary>SIGSTOP for longer than the session time-out, then SIGCONT: the node does not know that it is deposed.</summary>
    PauseNode,

    /// <summary>SIGSTOP for less than the session time-out.</summary>
    FreezeNode,

    /// <summary>All connections of a node to Kafka are reset, and new ones too for a while.</summary>
    CutKafka,

    /// <summary>What a node and Kafka say to each other is held back for a while, and arrives then.</summary>
    StallKafka,

    /// <summary>Kafka is slow for a node.</summary>
    DelayKafka,

    /// <summary>All connections of a node to MongoDB are reset, and new ones too for a while.</summary>
    CutMongoDB,

    /// <summary>What a node and MongoDB say to each other is held back for a while.</summary>
    StallMongoDB,

    /// <summary>All connections of a node to the Schema Registry are reset, and new ones too for a while.</summary>
    CutRegistry,

    /// <summary>The other nodes do not reach a node.</summary>
    CutNodes,

    /// <summary>What other nodes ask a node, and what it answers them, is held back for a while.</summary>
    StallNodes,

    /// <summary>
    /// <c>kill -9</c> of the process with Kafka, Schema Registry and MongoDB; it is started again on the same ports and data.
    /// </summary>
    KillServers,

    /// <summary>A node cannot write to its files any more for a while: each write that makes a file longer than it may be fails.</summary>
    FullDisk,

    /// <summary><c>kill -9</c> of a node, which starts again with a wrong clock and keeps it.</summary>
    JumpClock,

    /// <summary><c>kill -9</c> of a process of the event streams; it is started again on its data.</summary>
    KillStreams,

    /// <summary><c>kill -9</c> of a process of the event streams, which loses its data folder too.</summary>
    WipeStreams,

    /// <summary>SIGSTOP of a process of the event streams for longer than the session time-out, then SIGCONT.</summary>
    PauseStreams,

    /// <summary>All connections of a process of the event streams to Kafka are reset, and new ones too for a while.</summary>
    CutStreams,

    /// <summary>Kafka is slow for a process of the event streams: they lag.</summary>
    DelayStreams,
}
