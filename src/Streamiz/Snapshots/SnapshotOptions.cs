namespace KafkaEventSourcing.Streamiz;

/// <summary>How snapshots are kept.</summary>
public sealed record SnapshotOptions
{
    /// <summary>
    /// How many command ids a snapshot remembers, so that a node that restores from it knows a command that is sent again. Default 256, as
    /// a node does. 0: none, for topics that people read and no node restores from.
    /// </summary>
    public int RecentCommands { get; init; } = 256;

    internal void Validate()
    {
        if (RecentCommands is < 0 or > 100_000)
            throw new InvalidInputException(nameof(RecentCommands),
                $"{nameof(RecentCommands)} is {RecentCommands}; it must be from 0 to 100,000.");
    }
}
