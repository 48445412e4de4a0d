using System.Collections.Concurrent;

namespace KafkaEventSourcing.Chaos.Load;

/// <summary>
/// Sees to it that no command is sent again after more later commands of its aggregate than the system remembers: while one waits for its
/// outcome, only so many others are begun. Thread-safe.
/// </summary>
internal sealed class InFlightAggregates(int width = InFlightAggregates.Default)
{
    // 256 ids are remembered; the commands of processes are not counted here and need room.
    private const int Default = 100;

    private readonly ConcurrentDictionary<AggregateId, Open> _open = [];

    /// <summary>Begins a command; false: an older one of this aggregate must be answered first.</summary>
    public bool TryBegin(AggregateId id, out long number)
    {
        Open open = _open.GetOrAdd(id, _ => new Open());
        lock (open)
        {
            number = open.Next;
            if (open.Numbers.Count > 0 && open.Next - open.Numbers.Min >= width)
                return false;
            open.Next++;
            open.Numbers.Add(number);
            return true;
        }
    }

    /// <summary>A command has its outcome.</summary>
    public void End(AggregateId id, long number)
    {
        Open open = _open[id];
        lock (open)
            open.Numbers.Remove(number);
    }

    private sealed class Open
    {
        public long Next { get; set; }

        public SortedSet<long> Numbers { get; } = [];
    }
}
