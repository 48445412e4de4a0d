namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>Every member gets as many partitions as any other, and keeps what it has where that allows it.</summary>
internal sealed class UniformAssignor : IServerAssignor
{
    public const string Name = "uniform";

    public Dictionary<string, HashSet<AssignedPartition>> Assign(
        IReadOnlyList<AssigneeSpec> members, IReadOnlyDictionary<string, SubscribedTopic> topics)
    {
        AssigneeSpec[] ordered = [.. members.OrderBy(m => m.Id, StringComparer.Ordinal)];
        var result = ordered.ToDictionary(m => m.Id, _ => new HashSet<AssignedPartition>());
        Dictionary<AssignedPartition, string> owners = [];
        (AssignedPartition Partition, AssigneeSpec[] Candidates)[] partitions =
        [
            .. topics.Values.OrderBy(t => t.Name, StringComparer.Ordinal).SelectMany(topic =>
            {
                AssigneeSpec[] subscribers = [.. ordered.Where(m => m.Topics.Contains(topic.Name))];
                return subscribers.Length == 0
                    ? []
                    : Enumerable.Range(0, topic.Partitions).Select(p => (new AssignedPartition(topic.Id, p), subscribers));
            }),
        ];
        foreach ((AssignedPartition partition, AssigneeSpec[] candidates) in partitions)
        {
            string owner = candidates.FirstOrDefault(c => c.Present.Contains(partition))?.Id ?? "";
            if (owner.Length == 0)
                continue;
            owners[partition] = owner;
            result[owner].Add(partition);
        }

        // Who has the fewest gets the next free one; among equals the first.
        foreach ((AssignedPartition partition, AssigneeSpec[] candidates) in partitions)
        {
            if (owners.ContainsKey(partition))
                continue;
            string least = candidates.MinBy(c => result[c.Id].Count)!.Id;
            owners[partition] = least;
            result[least].Add(partition);
        }

        // Then partitions move from who has most to who has least, until no move makes it more even; every move lowers the sum of squares,
        // so it ends. The last ones go first: like Kafka's, a member keeps its first ones.
        while (Move(ordered, partitions, owners, result))
        {
        }

        return result;
    }

    private static bool Move(
        AssigneeSpec[] members, (AssignedPartition Partition, AssigneeSpec[] Candidates)[] partitions,
        Dictionary<AssignedPartition, string> owners, Dictionary<string, HashSet<AssignedPartition>> result)
    {
        foreach (AssigneeSpec most in members.OrderByDescending(m => result[m.Id].Count))
        {
            for (int i = partitions.Length - 1; i >= 0; i--)
            {
                (AssignedPartition partition, AssigneeSpec[] candidates) = partitions[i];
                if (owners[partition] != most.Id)
                    continue;
                string least = candidates.MinBy(c => result[c.Id].Count)!.Id;
                if (result[most.Id].Count - result[least].Count < 2)
                    continue;
                result[most.Id].Remove(partition);
                result[least].Add(partition);
                owners[partition] = least;
                return true;
            }
        }

        return false;
    }
}
