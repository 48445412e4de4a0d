using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>A value of a topic in which event streams keep snapshots.</summary>
/// <param name="Version">The aggregate's version; 0 of a mark.</param>
/// <param name="EventPartition">The partition of its events.</param>
/// <param name="EventOffset">The offset of its last event; of a mark: of the last event that was folded before it was written.</param>
/// <param name="Commands">The last commands that led to events, oldest first.</param>
/// <param name="StateSchema">The fingerprint of the state's schema; null: there is no state.</param>
/// <param name="State">The state in Avro's binary encoding, without framing.</param>
/// <param name="Mark">What a mark says; null: it is the snapshot of an aggregate.</param>
internal sealed record StreamSnapshot(long Version, int EventPartition, long EventOffset, IReadOnlyList<RememberedOutcome> Commands,
    string? StateSchema, byte[] State, StreamMark? Mark);

/// <summary>
/// Event streams write a mark now and then, in the transaction of the snapshots before it: whoever reads what is committed, and sees it,
/// has seen the aggregates as of all events up to it, or as of later ones.
/// </summary>
/// <param name="Events">The id of the events topic that was folded.</param>
/// <param name="Snapshots">The id of the topic that the snapshots were written to.</param>
/// <param name="FromOffset">The offset of the first event that was folded.</param>
/// <param name="RecentCommands">How many commands snapshots remember, at least.</param>
internal sealed record StreamMark(TopicId Events, TopicId Snapshots, long FromOffset, int RecentCommands);
