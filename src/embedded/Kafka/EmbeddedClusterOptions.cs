namespace KafkaEventSourcing.Embedded.Kafka;

/// <summary>
/// Several brokers in place of one, with what is uncomfortable in a cluster: leaders that are named before they serve, markers after the
/// answer, coordinators that load, brokers that die. They share one log in this process, so that nothing is replicated: it is for tests of
/// clients. Times vary within their bounds by <see cref="Seed"/>; the same seed gives the same times.
/// </summary>
public sealed record EmbeddedClusterOptions
{
    /// <summary>
    /// How many brokers, 1 or more; their ids follow each other from <see cref="EmbeddedKafkaOptions.NodeId"/> on, as do their ports where
    /// one is given. Default 3.
    /// </summary>
    public int Brokers { get; init; } = 3;

    /// <summary>What the times and the places of leaders follow from. Default 1.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>How long at most a broker does not know of a new topic that the controller has made. Default 300 ms.</summary>
    public TimeSpan TopicDelay { get; init; } = TimeSpan.FromMilliseconds(300);

    /// <summary>How long at most a leader that is named does not serve yet; at least a fifth of it. Default 1 s.</summary>
    public TimeSpan LeaderDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long at most after the answer to EndTxn the markers are written; at least a third of it. Default 60 ms.</summary>
    public TimeSpan MarkerDelay { get; init; } = TimeSpan.FromMilliseconds(60);

    /// <summary>
    /// How long at most a coordinator loads when its broker starts or takes it over; at least a third of it. Default 1.5 s.
    /// </summary>
    public TimeSpan CoordinatorLoad { get; init; } = TimeSpan.FromMilliseconds(1_500);

    /// <summary>
    /// After which time the others notice that a broker has died; until then it is told to clients, as a leader and as the controller.
    /// Default 9 s, as Kafka's <c>broker.session.timeout.ms</c>.
    /// </summary>
    public TimeSpan BrokerSessionTimeout { get; init; } = TimeSpan.FromSeconds(9);

    /// <summary>
    /// How long the first rebalance of an empty group waits, where <see cref="EmbeddedKafkaOptions.GroupInitialRebalanceDelay"/> is not
    /// set. Default 3 s, Kafka's.
    /// </summary>
    public TimeSpan GroupInitialRebalanceDelay { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>The shortest session timeout. Default 6 s, Kafka's.</summary>
    public TimeSpan GroupMinSessionTimeout { get; init; } = TimeSpan.FromSeconds(6);
}
