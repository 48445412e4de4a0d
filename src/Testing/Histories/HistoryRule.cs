namespace KafkaEventSourcing.Testing;

/// <summary>What a history can violate.</summary>
public enum HistoryRule
{
    /// <summary>The versions of an aggregate are 1, 2, 3 … in offset order (I2).</summary>
    GaplessVersions,

    /// <summary>A command id takes effect at most once (I1).</summary>
    OneEffect,

    /// <summary>All answers to one command id tell the same outcome (I1).</summary>
    OneOutcome,

    /// <summary>Version, token and kind of an answer are those of the log.</summary>
    AnswerAsLogged,

    /// <summary>An expected version held when the command took effect, and did not when a conflict was told (I3).</summary>
    ExpectedVersion,

    /// <summary>A command that was refused has no events.</summary>
    RefusedWithoutEffect,

    /// <summary>What was decided is what the aggregate's own <c>decide</c> says on the state of that version.</summary>
    Decision,

    /// <summary>The state that a read shows is the fold of the first events, as many as the version that it tells (I5).</summary>
    StateIsFold,

    /// <summary>Calls that did not overlap are seen in their order in time: strong reads and commands are linearizable (I7).</summary>
    RealTimeOrder,

    /// <summary>An invariant of the caller's own over the final states.</summary>
    Invariant,
}
