namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>Named deadlines at which a coordinator decides. Used under the runtime's lock.</summary>
internal interface ICoordinatorTimer
{
    /// <summary>Has <paramref name="decide"/> run after <paramref name="delay"/>, in place of an earlier one of the same name.</summary>
    void Schedule(string key, TimeSpan delay, Func<CoordinatorResult> decide);

    bool IsScheduled(string key);

    void Cancel(string key);
}
