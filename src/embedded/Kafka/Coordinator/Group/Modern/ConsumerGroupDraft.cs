namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// A decision on a consumer group in the making: the records so far, and the group as they leave it. The group itself stays as it is until
/// they are written.
/// </summary>
internal sealed class ConsumerGroupDraft(ConsumerGroup group)
{
    private readonly List<CoordinatorRecord> _records = [];
    private bool _isCopy;

    /// <summary>The group as it is.</summary>
    public ConsumerGroup Before { get; } = group;

    /// <summary>The group as the records leave it.</summary>
    public ConsumerGroup Group { get; private set; } = group;

    public IReadOnlyList<CoordinatorRecord> Records => _records;

    /// <summary>The version of the broker's topics that the group was brought up to; null when it was not.</summary>
    public long? TopicsVersion { get; set; }

    /// <summary>Whether there is a regular expression that is not resolved yet.</summary>
    public bool HasNewRegex { get; set; }

    public void Add(CoordinatorRecord record)
    {
        if (!_isCopy)
            (Group, _isCopy) = (Group.Copy(), true);
        _records.Add(record);
        Group.Replay(record.Key, record.Value);
    }

    public void AddRange(IReadOnlyCollection<CoordinatorRecord> records)
    {
        foreach (CoordinatorRecord record in records)
            Add(record);
    }
}
