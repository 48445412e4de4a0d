namespace KafkaEventSourcing.Testing.Tests.Simulation;

/// <summary>A planted bug of the simulated partition task.</summary>
public enum Mutation
{
    None,

    /// <summary>Direct callers are answered when the events are written, and the transaction may still abort.</summary>
    ReplyBeforeCommit,

    /// <summary>The log is replayed first, and the previous owner fenced only then.</summary>
    ReplayBeforeFencing,

    /// <summary>The store has the batch before it is committed, and keeps it when it is aborted.</summary>
    StoreBeforeCommit,

    /// <summary>A restored owner does not know which commands were decided.</summary>
    DedupeLostAtRestore,

    /// <summary>The input offset is committed now and then, apart from the transactions.</summary>
    OffsetNotInTransaction,

    /// <summary>An expected version is checked against the store alone, not against what the batch has decided.</summary>
    ExpectedAgainstCommittedOnly,

    /// <summary>The same id twice in one batch is not noticed.</summary>
    DedupeAgainstCommittedOnly,

    /// <summary>A strong read does not ask whether its owner is deposed.</summary>
    ZombieRead,

    /// <summary>A refusal is told without a transaction, so that a deposed owner can tell it too.</summary>
    ZombieRefusal,

    /// <summary>An event is appended twice, as by a producer that retries without idempotence.</summary>
    EventWrittenTwice,

    /// <summary>An aborted batch leaves its versions behind.</summary>
    VersionGap,

    /// <summary>An answer tells the version after the batch, not after the command.</summary>
    WrongVersionAnswered,

    /// <summary>The mark of event streams says that snapshots are there which are not written yet.</summary>
    MarkBeforeSnapshots,

    /// <summary>
    /// Event streams write their snapshots and marks outside of transactions: one that was deposed writes older ones behind newer ones.
    /// </summary>
    StreamsAtLeastOnce,

    /// <summary>A restore folds events again that a snapshot of event streams has, which is ahead of its mark.</summary>
    SnapshotsFoldedAgain,
}
