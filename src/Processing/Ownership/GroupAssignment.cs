using System.Buffers.Binary;
using System.Text;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// What a member of a consumer group was assigned, in the bytes that members exchange (Apache Kafka,
/// <c>ConsumerProtocolAssignment.json</c>).
/// </summary>
internal static class GroupAssignment
{
    private const int VersionBytes = 2;

    /// <summary>
    /// The partitions of <paramref name="topic"/> in <paramref name="assignment"/>; none where it is empty, as in a rebalance, or is not an
    /// assignment.
    /// </summary>
    public static IReadOnlyList<int> PartitionsOf(string topic, ReadOnlySpan<byte> assignment)
    {
        var partitions = new List<int>();
        if (assignment.Length < VersionBytes)
            return partitions;
        ReadOnlySpan<byte> rest = assignment[VersionBytes..];
        if (!TryReadInt32(ref rest, out int topics))
            return partitions;
        for (int t = 0; t < topics; t++)
        {
            if (rest.Length < 2 || BinaryPrimitives.ReadInt16BigEndian(rest) is var length && (length < 0 || rest.Length < 2 + length))
                return partitions;
            string name = Encoding.UTF8.GetString(rest.Slice(2, length));
            rest = rest[(2 + length)..];
            if (!TryReadInt32(ref rest, out int count))
                return partitions;
            for (int p = 0; p < count && TryReadInt32(ref rest, out int partition); p++)
            {
                if (name == topic)
                    partitions.Add(partition);
            }
        }

        return partitions;
    }

    private static bool TryReadInt32(ref ReadOnlySpan<byte> rest, out int value)
    {
        if (!BinaryPrimitives.TryReadInt32BigEndian(rest, out value))
            return false;
        rest = rest[sizeof(int)..];
        return true;
    }
}
