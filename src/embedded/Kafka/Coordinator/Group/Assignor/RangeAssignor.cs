namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// Per topic, each subscriber gets a contiguous range; static members come first, in the order of their instances, so that a restart
/// changes nothing.
/// </summary>
internal sealed class RangeAssignor : IServerAssignor
{
    public const string Name = "range";

    public Dictionary<string, HashSet<AssignedPartition>> Assign(
        IReadOnlyList<AssigneeSpec> members, IReadOnlyDictionary<string, SubscribedTopic> topics)
    {
        var result = members.ToDictionary(m => m.Id, _ => new HashSet<AssignedPartition>());
        AssigneeSpec[] ordered = [.. members.OrderBy(m => m.InstanceId is null).ThenBy(m => m.InstanceId ?? m.Id, StringComparer.Ordinal)];
        foreach (SubscribedTopic topic in topics.Values)
        {
            AssigneeSpec[] subscribers = [.. ordered.Where(m => m.Topics.Contains(topic.Name))];
            if (subscribers.Length == 0)
                continue;
            (int quota, int extra) = Math.DivRem(topic.Partitions, subscribers.Length);
            int next = 0;
            for (int i = 0; i < subscribers.Length; i++)
            {
                for (int count = quota + (i < extra ? 1 : 0); count > 0; count--)
                    result[subscribers[i].Id].Add(new AssignedPartition(topic.Id, next++));
            }
        }

        return result;
    }
}
