namespace KafkaEventSourcing.Hosting;

/// <summary>
/// How a node divides the memory that its process may have, as the runtime sees it: the limit of the container or of the heap, if there is
/// one, else that of the machine. Each part has a most that more memory does not raise, and a least below which a node does not work.
/// </summary>
internal static class NodeMemory
{
    private const long MiB = 1024 * 1024;

    private static readonly long Available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>The bodies of requests that are being answered.</summary>
    public static long BodyBytes => Part(64, 4 * MiB, 64 * MiB);

    /// <summary>The aggregates that are kept in front of the stores, of one of so many types.</summary>
    public static long CachedBytes(int types) => Math.Max(MiB, Part(16, 8 * MiB, 128 * MiB) / types);

    /// <summary>The commands that wait to be decided, of one of so many aggregate types.</summary>
    public static long WaitingBytes(int types) => Math.Max(MiB, Part(16, 8 * MiB, 128 * MiB) / types);

    private static long Part(int divisor, long least, long most) => Math.Clamp(Available / divisor, least, most);
}
