namespace KafkaEventSourcing.Hosting.Verification;

/// <summary>What a <see cref="SchemaCheck"/> found.</summary>
/// <param name="Uses">The records, by topic and writer's schema.</param>
/// <param name="Aggregates">What was found by folding, an aggregate type each; empty when a sample was read.</param>
/// <param name="ReadModels">What was found of the read models.</param>
internal sealed record SchemaCheckReport(
    IReadOnlyList<SchemaUse> Uses, IReadOnlyList<AggregateCheck> Aggregates, IReadOnlyList<ReadModelCheck> ReadModels)
{
    /// <summary>The aggregate types of which there are no events where was looked. Default: none.</summary>
    public IReadOnlyList<string> Unread { get; init; } = [];

    /// <summary>The topics of snapshots of event streams that are not there. Default: none.</summary>
    public IReadOnlyList<string> MissingSnapshots { get; init; } = [];

    /// <summary>Whether every record can be read and folded.</summary>
    public bool IsReadable => Uses.All(u => u.Failures == 0) && Aggregates.All(a => a.Unfoldable.Count == 0);
}

/// <summary>What folding the events of one aggregate type by this code has found.</summary>
internal sealed class AggregateCheck(string aggregate)
{
    public const int MaxTold = 10;

    public string Aggregate => aggregate;

    public long Events { get; set; }

    public long Aggregates { get; set; }

    /// <summary>How many aggregates were compared with what the code before had of them.</summary>
    public long Compared { get; set; }

    /// <summary>Fields of states that only one of the two codes has.</summary>
    public IReadOnlyCollection<string> Shape { get; set; } = [];

    /// <summary>How many snapshots are of another schema of the state, so that they say nothing here and are folded anew.</summary>
    public long OtherStateSchema { get; set; }

    /// <summary>Likewise of the snapshots of event streams; the streams stop at them until they are reset.</summary>
    public long OtherStreamStateSchema { get; set; }

    /// <summary>How many aggregates have another state by this code.</summary>
    public long Changed { get; private set; }

    /// <summary>The first of them, with what differs.</summary>
    public IReadOnlyList<string> Changes => _changes;

    /// <summary>The first events that this code does not fold, with why.</summary>
    public IReadOnlyList<string> Unfoldable => _unfoldable;

    public long UnfoldableCount { get; private set; }

    private readonly List<string> _changes = [];
    private readonly List<string> _unfoldable = [];

    public void AddChange(AggregateId id, long version, string difference)
    {
        Changed++;
        if (_changes.Count < MaxTold)
            _changes.Add($"{id} at version {version}: {difference}");
    }

    public void AddUnfoldable(string what)
    {
        UnfoldableCount++;
        if (_unfoldable.Count < MaxTold)
            _unfoldable.Add(what);
    }
}

/// <summary>What of one read model this code would fold otherwise.</summary>
/// <param name="Name">The read model.</param>
/// <param name="Compared">Documents that were compared.</param>
/// <param name="Changed">Documents that differ, are missing or too many.</param>
/// <param name="Changes">The first of them.</param>
/// <param name="NotCompared">Why it was not compared; null: it was.</param>
internal sealed record ReadModelCheck(string Name, long Compared, long Changed, IReadOnlyList<string> Changes, string? NotCompared);
