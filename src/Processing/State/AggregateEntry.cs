using System.Text;

namespace KafkaEventSourcing.Processing;

/// <summary>One aggregate as its partition task knows it. Owned by the task's thread.</summary>
internal sealed class AggregateEntry
{
    private const int Overhead = 384;
    private const int BytesInMemory = 4; // of objects, for each byte that is encoded: text takes two, small numbers and short texts more

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

    /// <summary>The bytes of the state as it is stored, its version with it; 0: it is not stored.</summary>
    public int StateBytes { get; set; }

    /// <summary>About how many bytes of memory the objects of its state take; 0: it is not stored.</summary>
    public long StateMemory => (long)StateBytes * BytesInMemory;

    /// <summary>About how many bytes of memory it takes in all.</summary>
    public long Bytes => Overhead + Key.Length + StateMemory + Recent.Bytes;

    /// <summary>As how many bytes its cache has counted it.</summary>
    public long CountedBytes { get; set; }

    /// <summary>The commands whose outcomes the store remembers.</summary>
    public RecentCommands Recent { get; } = new();
}
