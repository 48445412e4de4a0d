using System.Numerics;

namespace KafkaEventSourcing.Hosting.Load;

/// <summary>
/// Latencies in buckets that are at most 1/32 wide relative to their value: from a microsecond to hours in 1,900 counters, whatever the
/// number of samples. Thread-safe.
/// </summary>
public sealed class LatencyHistogram
{
    private const int SubBits = 5;
    private const int SubBuckets = 1 << SubBits;

    private readonly long[] _counts = new long[SubBuckets * (64 - SubBits)];
    private long _count;
    private long _maxMicros;

    /// <summary>How many samples there are.</summary>
    public long Count => Interlocked.Read(ref _count);

    /// <summary>The longest latency.</summary>
    public TimeSpan Max => TimeSpan.FromMicroseconds(Interlocked.Read(ref _maxMicros));

    /// <summary>The samples of all <paramref name="histograms"/> together, as they are now.</summary>
    public static LatencyHistogram Of(IEnumerable<LatencyHistogram> histograms)
    {
        var sum = new LatencyHistogram();
        foreach (LatencyHistogram histogram in histograms)
        {
            for (int i = 0; i < sum._counts.Length; i++)
                sum._counts[i] += Interlocked.Read(ref histogram._counts[i]);
            sum._count += histogram.Count;
            sum._maxMicros = Math.Max(sum._maxMicros, Interlocked.Read(ref histogram._maxMicros));
        }

        return sum;
    }

    /// <summary>Adds a sample; negative ones count as zero.</summary>
    public void Record(TimeSpan latency)
    {
        long micros = Math.Max(0, (long)latency.TotalMicroseconds);
        Interlocked.Increment(ref _counts[IndexOf(micros)]);
        Interlocked.Increment(ref _count);
        long max = Interlocked.Read(ref _maxMicros);
        while (micros > max)
        {
            long seen = Interlocked.CompareExchange(ref _maxMicros, micros, max);
            if (seen == max)
                break;
            max = seen;
        }
    }

    /// <summary>
    /// The latency that <paramref name="quantile"/> (0 to 1) of the samples do not exceed, to within 1/32; zero without samples.
    /// </summary>
    public TimeSpan Quantile(double quantile)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(quantile);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quantile, 1);
        long rank = Math.Max(1, (long)Math.Ceiling(quantile * Count));
        long seen = 0;
        for (int i = 0; i < _counts.Length; i++)
        {
            seen += Interlocked.Read(ref _counts[i]);
            if (seen >= rank)
                return TimeSpan.FromMicroseconds(Math.Min(UpperBound(i), Interlocked.Read(ref _maxMicros)));
        }

        return TimeSpan.Zero;
    }

    private static int IndexOf(long micros)
    {
        if (micros < SubBuckets)
            return (int)micros;
        int shift = BitOperations.Log2((ulong)micros) - SubBits;
        return ((shift + 1) << SubBits) + (int)((micros >> shift) - SubBuckets);
    }

    private static long UpperBound(int index)
    {
        if (index < SubBuckets)
            return index;
        int shift = (index >> SubBits) - 1;
        return ((long)(SubBuckets + (index & (SubBuckets - 1)) + 1) << shift) - 1;
    }
}
