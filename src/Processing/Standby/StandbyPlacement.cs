using System.IO.Hashing;
using System.Text;

namespace KafkaEventSourcing.Processing;

/// <summary>A live member of the consumer group: its id in the group, the node that it is, and the partitions that it owns.</summary>
internal sealed record GroupMember(string Id, string Node, IReadOnlyList<int> Owned);

/// <summary>
/// Which nodes keep copies of a partition: first its successor, the node that gets it when its owner goes; further copies at those whose
/// hash with the partition is highest (rendezvous hashing). Every node comes to the same answer from the same members.
/// </summary>
internal static class StandbyPlacement
{
    /// <summary>The partitions of which <paramref name="node"/> shall keep a copy.</summary>
    /// <param name="node">The node in question.</param>
    /// <param name="members">The live members of the group. A partition that none of them owns has no successor.</param>
    /// <param name="partitions">How many partitions there are.</param>
    /// <param name="copies">How many copies of each partition there shall be.</param>
    public static IReadOnlyList<int> PartitionsOf(string node, IReadOnlyList<GroupMember> members, int partitions, int copies)
    {
        string?[] owners = new string?[partitions];
        string?[] successors = new string?[partitions];
        foreach (GroupMember member in members)
        {
            foreach (int owned in member.Owned)
                owners[owned] = member.Node;
            foreach ((int partition, string successor) in SuccessorsOf(member, members))
                successors[partition] = successor;
        }

        string[] nodes = [.. members.Select(m => m.Node).Distinct()];
        return !nodes.Contains(node)
            ? []
            : [.. Enumerable.Range(0, partitions).Where(p =>
                owners[p] != node && nodes.Count(n => n != owners[p] && GoesBefore(n, node, p, successors[p])) < copies)];
    }

    // Whether a copy of the partition is rather at a than at b: the successor, then the higher hash.
    private static bool GoesBefore(string a, string b, int partition, string? successor)
    {
        if (a == b || a == successor || b == successor)
            return a != b && a == successor;
        (ulong ofA, ulong ofB) = (Weight(a, partition), Weight(b, partition));
        return ofA != ofB ? ofA > ofB : string.CompareOrdinal(a, b) < 0;
    }

    /// <summary>
    /// Who gets each partition of <paramref name="leaving"/>, as librdkafka's cooperative-sticky assignor gives them away (2.16,
    /// <c>rdkafka_sticky_assignor.c</c>): from the last to the first, each to the member that has least, by its id among equals; from the
    /// first to the last when nobody else owns any.
    /// </summary>
    private static IEnumerable<(int Partition, string Heir)> SuccessorsOf(GroupMember leaving, IReadOnlyList<GroupMember> members)
    {
        var loads = new PriorityQueue<GroupMember, (int Owned, string Id)>(Comparer<(int Owned, string Id)>.Create(
            static (a, b) => a.Owned != b.Owned ? a.Owned.CompareTo(b.Owned) : string.CompareOrdinal(a.Id, b.Id)));
        bool othersOwn = false;
        foreach (GroupMember other in members.Where(m => m.Node != leaving.Node))
        {
            loads.Enqueue(other, (other.Owned.Count, other.Id));
            othersOwn |= other.Owned.Count > 0;
        }

        foreach (int partition in othersOwn ? leaving.Owned.OrderDescending() : leaving.Owned.Order())
        {
            if (!loads.TryDequeue(out GroupMember? successor, out (int Owned, string Id) load))
                yield break;
            loads.Enqueue(successor, (load.Owned + 1, load.Id));
            yield return (partition, successor.Node);
        }
    }

    private static ulong Weight(string node, int partition) => XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(node), partition);
}
