using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// How long a question to a cluster is asked again. A broker answers for a while that it is not the leader of a partition that metadata
/// names it for, or does not know a topic that the controller has made; librdkafka hands such an answer to the caller. Not thread-safe; one
/// instance for each question.
/// </summary>
internal sealed class KafkaPatience
{
    private static readonly TimeSpan ShortestAttempt = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromMilliseconds(500);

    private readonly TimeSpan _total;
    private readonly TimeProvider _time;
    private readonly long _started;
    private TimeSpan _delay = FirstDelay;

    /// <summary>Patience of <paramref name="total"/> from now on.</summary>
    public KafkaPatience(TimeSpan total, TimeProvider time) => (_total, _time, _started) = (total, time, time.GetTimestamp());

    /// <summary>
    /// How long the next attempt may take: half of what is left, so that a broker that is silent does not use up all of it.
    /// </summary>
    public TimeSpan Attempt => Left / 2 > ShortestAttempt ? Left / 2 : ShortestAttempt;

    /// <summary>Whether nothing is left.</summary>
    public bool IsOver => Left <= TimeSpan.Zero;

    private TimeSpan Left => _total - _time.GetElapsedTime(_started);

    /// <summary>
    /// Whether an error passes by itself: a leader, a controller or a coordinator is being found, or a connection is being made again.
    /// </summary>
    public static bool IsPassing(Error error) => !error.IsFatal && error.Code is
        ErrorCode.UnknownTopicOrPart or ErrorCode.UnknownTopicId or ErrorCode.LeaderNotAvailable or ErrorCode.NotLeaderForPartition
            or ErrorCode.PreferredLeaderNotAvailable
        or ErrorCode.ReplicaNotAvailable or ErrorCode.BrokerNotAvailable or ErrorCode.ListenerNotFound or ErrorCode.FencedLeaderEpoch
        or ErrorCode.UnknownLeaderEpoch or ErrorCode.OffsetNotAvailable
        or ErrorCode.RequestTimedOut or ErrorCode.NetworkException or ErrorCode.KafkaStorageError or ErrorCode.NotController
        or ErrorCode.StaleBrokerEpoch or ErrorCode.ThrottlingQuotaExceeded
        or ErrorCode.GroupLoadInProgress or ErrorCode.GroupCoordinatorNotAvailable or ErrorCode.NotCoordinatorForGroup
        or ErrorCode.Local_Transport or ErrorCode.Local_TimedOut or ErrorCode.Local_TimedOutQueue or ErrorCode.Local_AllBrokersDown
        or ErrorCode.Local_Resolve or ErrorCode.Local_NodeUpdate
        or ErrorCode.Local_WaitCoord or ErrorCode.Local_WaitCache or ErrorCode.Local_UnknownTopic or ErrorCode.Local_UnknownPartition
        or ErrorCode.Local_UnknownBroker or ErrorCode.Local_Outdated
        or ErrorCode.Local_Retry or ErrorCode.Local_DestroyBroker or ErrorCode.Local_MaxPollExceeded;

    /// <summary>Whether to ask again after <paramref name="error"/>.</summary>
    public bool Outlasts(Error error) => IsPassing(error) && !IsOver;

    /// <summary>Waits a moment, longer each time; blocks.</summary>
    // callers have a thread for what blocks
    public void Wait(CancellationToken cancellationToken) => WaitAsync(cancellationToken).GetAwaiter().GetResult();

    /// <summary>Waits a moment, longer each time.</summary>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        await Task.Delay(_delay, _time, cancellationToken).ConfigureAwait(false);
        _delay = _delay * 2 < LongestDelay ? _delay * 2 : LongestDelay;
    }
}
