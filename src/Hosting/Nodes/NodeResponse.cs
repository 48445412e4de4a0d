using KafkaEventSourcing.Processing;

namespace KafkaEventSourcing.Hosting.Nodes;

/// <summary>What came of asking another node: exactly one of the four.</summary>
internal abstract record NodeResponse<T>
{
    private NodeResponse()
    {
    }

    /// <summary>It has answered.</summary>
    public sealed record Answered(T Value) : NodeResponse<T>;

    /// <summary>It does not own the partition; <paramref name="Owner"/> does, as far as it knows.</summary>
    public sealed record Elsewhere(PartitionOwnership? Owner) : NodeResponse<T>;

    /// <summary>It owns the partition, and too much waits there.</summary>
    public sealed record Overloaded(string Message) : NodeResponse<T>;

    /// <summary>It did not answer, or cannot now. What it was asked to do may have happened.</summary>
    public sealed record Unavailable(string Message) : NodeResponse<T>;
}
