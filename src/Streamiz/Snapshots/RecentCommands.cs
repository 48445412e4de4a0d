using System.Collections;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// The last commands of an aggregate, oldest first. Immutable; one that follows another shares its array, so that a fold does not copy all
/// of them at each event. One thread appends; reading is thread-safe.
/// </summary>
internal sealed class RecentCommands : IReadOnlyList<SnapshotCommand>
{
    /// <summary>None.</summary>
    public static readonly RecentCommands None = new(new Shared([]), 0, 0);

    private readonly Shared _shared;
    private readonly int _first;

    private RecentCommands(Shared shared, int first, int count) => (_shared, _first, Count) = (shared, first, count);

    /// <inheritdoc/>
    public int Count { get; }

    /// <inheritdoc/>
    public SnapshotCommand this[int index] => (uint)index < (uint)Count
        ? _shared.Commands[_first + index]
        : throw new ArgumentOutOfRangeException(nameof(index), index, $"There are {Count} commands.");

    /// <summary>Those that were read.</summary>
    public static RecentCommands Of(IReadOnlyList<SnapshotCommand> commands) => commands as RecentCommands
        ?? new RecentCommands(new Shared([.. commands]) { Used = commands.Count }, 0, commands.Count);

    /// <summary>These and <paramref name="last"/>, at most <paramref name="limit"/>; a last one of its id it takes the place of.</summary>
    public RecentCommands And(SnapshotCommand last, int limit)
    {
        int kept = Count > 0 && this[^1].Id == last.Id ? Count - 1 : Count;
        int first = Math.Max(0, kept + 1 - limit);
        kept -= first;
        // The place behind the last one is free when nobody else has followed this, and no earlier one has to stay as it is.
        int end = _first + first + kept;
        if (end == _shared.Used && end < _shared.Commands.Length)
        {
            _shared.Commands[end] = last;
            _shared.Used++;
            return new RecentCommands(_shared, _first + first, kept + 1);
        }

        var grown = new SnapshotCommand[Math.Max(4, Math.Min(kept + 1, limit) * 2)];
        Array.Copy(_shared.Commands, _first + first, grown, 0, kept);
        grown[kept] = last;
        return new RecentCommands(new Shared(grown) { Used = kept + 1 }, 0, kept + 1);
    }

    /// <inheritdoc/>
    public IEnumerator<SnapshotCommand> GetEnumerator()
    {
        for (int i = 0; i < Count; i++)
            yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private sealed class Shared(SnapshotCommand[] commands)
    {
        public SnapshotCommand[] Commands => commands;

        public int Used { get; set; }
    }
}
