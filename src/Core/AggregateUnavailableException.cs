namespace KafkaEventSourcing;

/// <summary>The partition that owns an aggregate cannot be asked here and now. Try again, or ask another node.</summary>
public sealed class AggregateUnavailableException : Exception
{
    /// <summary>Creates the error; <paramref name="message"/> says which partition and what it is doing.</summary>
    public AggregateUnavailableException(int partition, string message) : base(message) => Partition = partition;

    /// <summary>The partition in question.</summary>
    public int Partition { get; }
}
