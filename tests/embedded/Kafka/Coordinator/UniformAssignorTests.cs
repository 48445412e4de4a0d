using System.Collections.Immutable;
using CsCheck;
using KafkaEventSourcing.Embedded.Kafka.Coordinator;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Coordinator;

public sealed class UniformAssignorTests
{
    private static readonly string[] Names = ["a", "b", "c"];
    private static readonly UniformAssignor Assignor = new();

    [Fact]
    public void Members_keep_their_first_partitions_when_others_come_and_go()
    {
        IReadOnlyDictionary<string, SubscribedTopic> topics = Topics(6);
        Dictionary<string, HashSet<AssignedPartition>> assigned = Assign([], topics, "c0");
        Numbers(assigned, "c0").ShouldBe([0, 1, 2, 3, 4, 5]);
        assigned = Assign(assigned, topics, "c0", "c1");
        Numbers(assigned, "c0").ShouldBe([0, 1, 2]);
        Numbers(assigned, "c1").ShouldBe([3, 4, 5]);
        assigned = Assign(assigned, topics, "c0", "c1", "c2");
        Numbers(assigned, "c0").ShouldBe([0, 1]);
        Numbers(assigned, "c1").ShouldBe([3, 4]);
        Numbers(assigned, "c2").ShouldBe([2, 5]);
        assigned = Assign(assigned, topics, "c1", "c2");
        Numbers(assigned, "c1").Length.ShouldBe(3);
        Numbers(assigned, "c1")[..2].ShouldBe(Numbers(assigned, "c1").Intersect([3, 4]).Concat(Numbers(assigned, "c1").Except([3, 4]))
            .Order().Take(2));
        assigned["c2"].IsSupersetOf(topics["a"] is var topic
            ? [new AssignedPartition(topic.Id, 2), new AssignedPartition(topic.Id, 5)]
            : []).ShouldBeTrue();
    }

    [Fact]
    public void Every_partition_has_one_owner_who_reads_its_topic_the_shares_are_even_and_nothing_moves_without_need()
    {
        Gen<int[]> partitions = Gen.Int[1, 8].Array[3];
        Gen<bool[]> subscriptions = Gen.Bool.Array[3];
        Gen.Select(partitions, subscriptions.Array[1, 6], subscriptions.Array[1, 6]).Sample((sizes, before, after) =>
        {
            IReadOnlyDictionary<string, SubscribedTopic> topics = Topics(sizes);
            Dictionary<string, HashSet<AssignedPartition>> first = Check(Members([], before), topics);
            AssigneeSpec[] later = Members(first, after);
            Dictionary<string, HashSet<AssignedPartition>> second = Check(later, topics);
            // What is even already stays as it is.
            foreach ((string id, HashSet<AssignedPartition> again) in Check(Members(second, after), topics))
                again.SetEquals(second[id]).ShouldBeTrue();
            if (after.All(s => s.All(x => x)))
            {
                // All read everything: what is given away is what those have too much who keep the largest shares that are possible.
                (int share, int more) = Math.DivRem(topics.Values.Sum(t => t.Partitions), later.Length);
                int needed = later.Select(m => m.Present.Count).OrderDescending().Select((count, n) =>
                    Math.Max(0, count - share - (n < more ? 1 : 0))).Sum();
                later.Sum(m => m.Present.Except(second[m.Id]).Count).ShouldBe(needed);
            }
        });
    }

    private static Dictionary<string, HashSet<AssignedPartition>> Check(
        AssigneeSpec[] members, IReadOnlyDictionary<string, SubscribedTopic> topics)
    {
        Dictionary<string, HashSet<AssignedPartition>> assigned = Assignor.Assign(members, topics);
        foreach (SubscribedTopic topic in topics.Values)
        {
            AssigneeSpec[] readers = [.. members.Where(m => m.Topics.Contains(topic.Name))];
            for (int p = 0; p < topic.Partitions; p++)
            {
                var partition = new AssignedPartition(topic.Id, p);
                string[] owners = [.. assigned.Where(a => a.Value.Contains(partition)).Select(a => a.Key)];
                owners.Length.ShouldBe(readers.Length == 0 ? 0 : 1);
                // No move of one partition to another of its readers would make it more even.
                foreach (string owner in owners)
                {
                    readers.ShouldContain(r => r.Id == owner);
                    readers.Min(r => assigned[r.Id].Count).ShouldBeGreaterThanOrEqualTo(assigned[owner].Count - 1);
                }
            }
        }

        return assigned;
    }

    private static AssigneeSpec[] Members(Dictionary<string, HashSet<AssignedPartition>> present, bool[][] subscriptions) =>
    [
        .. subscriptions.Select((s, i) =>
            new AssigneeSpec($"m{i}", null, Names.Where((_, n) => s[n]).ToHashSet(),
                present.TryGetValue($"m{i}", out HashSet<AssignedPartition>? has) ? [.. has] : [])),
    ];

    private static Dictionary<string, HashSet<AssignedPartition>> Assign(Dictionary<string, HashSet<AssignedPartition>> present,
        IReadOnlyDictionary<string, SubscribedTopic> topics, params string[] members) =>
        Assignor.Assign([.. members.Select(m =>
            new AssigneeSpec(m, null, topics.Keys.ToHashSet(),
                present.TryGetValue(m, out HashSet<AssignedPartition>? has) ? [.. has] : []))], topics);

    private static int[] Numbers(Dictionary<string, HashSet<AssignedPartition>> assigned, string member) =>
        [.. assigned[member].Select(p => p.Partition).Order()];

    private static IReadOnlyDictionary<string, SubscribedTopic> Topics(params int[] partitions) =>
        partitions.Select((count, i) => new SubscribedTopic(Names[i], new Guid(i + 1, 0, 0, new byte[8]), count)).ToDictionary(t => t.Name);
}
