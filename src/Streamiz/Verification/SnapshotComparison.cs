namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Folds the events of one partition and compares each snapshot with the fold up to its version. For one pass. Not thread-safe.
/// </summary>
internal sealed class SnapshotComparison(AggregateDefinition aggregate, SnapshotPart? part, Dictionary<string, Snapshot> snapshots,
    Differences differences)
{
    private readonly Dictionary<AggregateId, Folded> _folded = [];
    private readonly HashSet<string> _met = [];

    /// <summary>How many were compared.</summary>
    public long Compared => _met.Count;

    /// <summary>The states in the end, without those that are dropped.</summary>
    public IEnumerable<(AggregateId Id, object State)> States =>
        _folded.Where(f => part?.DropWhen?.Invoke(f.Value.State) != true).Select(f => (f.Key, f.Value.State));

    /// <summary>Folds an event; <paramref name="isRead"/>: the streams say that they have read it.</summary>
    public void Fold(RecordedEvent recorded, bool isRead)
    {
        Folded before = Before(recorded.AggregateId);
        Fold(recorded.AggregateId, before, recorded.Version, aggregate.Evolve(before.State, recorded.Payload), isRead);
        if (recorded.Part == recorded.Parts - 1)
            Look(recorded.AggregateId, recorded.Offset);
    }

    /// <summary>An event that is read as none: it has its version.</summary>
    public void PassOver(AggregateId id, long version, long offset, bool isRead)
    {
        Folded before = Before(id);
        Fold(id, before, version, before.State, isRead);
        Look(id, offset);
    }

    /// <summary>An event that an operator has discarded: the one that is due has its version.</summary>
    public void Discard(AggregateId id, long version, long offset, bool isRead)
    {
        if (version == Before(id).Version + 1)
            PassOver(id, version, offset, isRead);
    }

    /// <summary>Compares what has not been met.</summary>
    public void Finish()
    {
        if (part is null)
            return;
        foreach ((AggregateId id, Folded folded) in _folded)
        {
            if (_met.Contains(id.Value))
            {
                if (snapshots[id.Value].Version < folded.ReadVersion)
                    Differ(id.Value, $"is at version {snapshots[id.Value].Version}; the streams have read version {folded.ReadVersion}");
            }
            else if (snapshots.TryGetValue(id.Value, out Snapshot? ahead))
                Differ(id.Value, $"is at version {ahead.Version}, which its events do not have; they end at version {folded.Version}");
            else if (folded.ReadState is { } state && part.DropWhen?.Invoke(state) != true)
                Differ(id.Value, $"is missing; the streams have read version {folded.ReadVersion}");
        }

        foreach (string stranger in snapshots.Keys.Where(s => !_folded.ContainsKey(AggregateId.Parse(s))))
            Differ(stranger, "is there, and none of its events");
    }

    private Folded Before(AggregateId id) => _folded.GetValueOrDefault(id, new Folded(0, aggregate.InitialState, 0, null));

    private void Fold(AggregateId id, Folded before, long version, object state, bool isRead) =>
        _folded[id] = isRead ? new Folded(version, state, version, state) : before with { Version = version, State = state };

    private void Look(AggregateId id, long offset)
    {
        (long version, object state, _, _) = _folded[id];
        if (part is null || !snapshots.TryGetValue(id.Value, out Snapshot? snapshot) || snapshot.Version != version)
            return;
        _met.Add(id.Value);
        if (snapshot.Offset != offset)
            Differ(id.Value, $"says that version {version} is at offset {snapshot.Offset}; it is at {offset}");
        if (snapshot.State is null || !snapshot.State.Equals(state))
            Differ(id.Value, $"has the state {snapshot.State} in version {version}; its events give {state}");
    }

    private void Differ(string id, string what) => differences.Add($"The snapshot of {aggregate.Name} '{id}' {what}.");

    // As of the last event, and as of the last that the streams have read; null: they have read none.
    private readonly record struct Folded(long Version, object State, long ReadVersion, object? ReadState);
}
