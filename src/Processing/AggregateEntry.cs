using System.Text;

namespace KafkaEventSourcing.Processing;

/// <summary>One aggregate as its partition task knows it. Owned by the task's thread.</summary>
internal sealed class AggregateEntry
{
    public AggregateEntry(AggregateId id, object initialState)
    {
        Id = id;
        Key = Encoding.UTF8.GetBytes(id.Value);
        State = initialState;
    }

    public AggregateId Id { get; }

    public byte[] Key { get; }

    public long Version { get; set; }

    /// <summary>Offset of the last event; -1 without events.</summary>
    public long EventOffset { get; set; } = -1;

    public object State { get; set; }

    /// <summary>Whether the store has it, or will with its next write.</summary>
    public bool IsStored { get; set; }

    /// <summary>The commands whose outcomes the store remembers.</summary>
    public RecentCommands Recent { get; } = new();
}
