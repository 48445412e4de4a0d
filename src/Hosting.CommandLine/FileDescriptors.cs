using System.Globalization;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>Whether the process may open as many files and sockets as it will need. Linux tells; elsewhere nothing is checked.</summary>
internal static class FileDescriptors
{
    private const string Limits = "/proc/self/limits";
    private const string Line = "Max open files";

    // Measured: a bank with embedded servers has 620 with 4 partitions of 2 aggregate types and 1,890 with 32; stores and segments become
    // more files as they grow.
    private const long OfProcess = 512;
    private const long OfPartition = 64;

    /// <summary>How many a node needs, its embedded servers included.</summary>
    public static long Needed(int aggregates, int partitions) => OfProcess + (OfPartition * aggregates * partitions);

    /// <summary>Fails where the process may have fewer than <paramref name="needed"/>.</summary>
    /// <exception cref="CommandFailedException">It may not; the message says how many are needed.</exception>
    public static void Check(long needed)
    {
        if (Allowed(File.Exists(Limits) ? File.ReadAllLines(Limits) : []) is { } allowed && allowed < needed)
        {
            throw new CommandFailedException(string.Create(CultureInfo.InvariantCulture,
                $"At least {needed} file descriptors are needed, and this process may have {allowed}: start it behind 'ulimit "
                    + $"-n {needed}', or with LimitNOFILE={needed} in its systemd unit. Fewer --partitions need fewer."));
        }
    }

    /// <summary>The limit that <paramref name="limits"/> tell; null: none.</summary>
    internal static long? Allowed(IEnumerable<string> limits) =>
        limits.FirstOrDefault(l => l.StartsWith(Line, StringComparison.Ordinal)) is { } line
        && line[Line.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var soft, ..]
        && long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out long allowed)
            ? allowed
            : null;
}
