namespace KafkaEventSourcing.Processing;

/// <summary>Two nodes run under one id: each takes the other's place in the consumer group. One of them ends with this.</summary>
public sealed class DuplicateNodeException(string nodeId, Exception cause)
    : Exception($"Another node runs under the id '{nodeId}': Kafka has given it this node's place in the group again and again. Give each "
        + $"node an id of its own (--node-id, KES_NODE_ID).", cause)
{
    /// <summary>The id.</summary>
    public string NodeId => nodeId;
}
