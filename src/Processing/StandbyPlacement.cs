using System.IO.Hashing;
using System.Text;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Which nodes keep copies of a partition: of the live members of the group without its owner those whose hash with the partition is highest (rendezvous hashing). Every node comes to the same answer from the same
/// members, and a node that comes or goes moves only the copies that it wins or loses.
/// </summary>
internal static class StandbyPlacement
{
    /// <summary>The partitions of which <paramref name="node"/> shall keep a copy.</summary>
    /// <param name="node">The node in question.</param>
    /// <param name="members">The live nodes of the group.</param>
    /// <param name="owners">Who owns each partition; null: nobody, for the moment.</param>
    /// <param name="copies">How many copies of each partition there shall be.</param>
    public static IReadOnlyList<int> Of(string node, IReadOnlyCollection<string> members, IReadOnlyList<string?> owners, int copies)
    {
        var kept = new List<int>();
        for (int partition = 0; partition < owners.Count; partition++)
        {
            int p = partition;
            if (members.Where(m => m != owners[p]).OrderByDescending(m => Weight(m, p)).ThenBy(m => m, StringComparer.Ordinal).Take(copies).Contains(node))
                kept.Add(partition);
        }

        return kept;
    }

    private static ulong Weight(string node, int partition) => XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(node), partition);
}
