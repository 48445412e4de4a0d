namespace KafkaEventSourcing.Processing;

/// <summary>What a store has of a page of an aggregate's events.</summary>
/// <param name="Version">The aggregate's version.</param>
/// <param name="LastOffset">The offset of its last event.</param>
/// <param name="Range">The first and the last version that belong to the page; the last is before the first when it is empty.</param>
/// <param name="Events">Those that are there, in order.</param>
/// <param name="Next">The version that the next page begins with, in the order that was asked for; null: there is none.</param>
/// <param name="Gap">Where those are that are not there.</param>
internal sealed record IndexedHistory(long Version, long LastOffset, (long First, long Last) Range, IReadOnlyList<IndexedEvent> Events,
    long? Next, IndexGap Gap)
{
    /// <summary>Whether all are there, and none of them is a place alone.</summary>
    public bool IsWhole => Events.Count == Math.Max(0, Range.Last - Range.First + 1) && !Events.Any(static e => e.Event.IsEmpty);
}
