namespace KafkaEventSourcing.Bench;

/// <summary>Which of <paramref name="Count"/> accounts a call goes to, by the share that the popular ones have.</summary>
internal sealed record Keys(string Name, int Count, double Exponent)
{
    private readonly double[] _sums = Sums(Count, Exponent);

    /// <summary>One account takes all.</summary>
    public static Keys Hot { get; } = new("hot", 1, 0);

    /// <summary>All accounts alike.</summary>
    public static Keys Uniform(int count) => new("uniform", count, 0);

    /// <summary>The <c>n</c>-th account has 1/n of the first one's calls (Zipf's law, exponent 1).</summary>
    public static Keys Zipf(int count) => new("zipf", count, 1);

    public int Next(Random random)
    {
        int found = Array.BinarySearch(_sums, random.NextDouble() * _sums[^1]);
        return Math.Min(found < 0 ? ~found : found, Count - 1);
    }

    private static double[] Sums(int count, double exponent)
    {
        var sums = new double[count];
        double sum = 0;
        for (int i = 0; i < count; i++)
            sums[i] = sum += Math.Pow(i + 1, -exponent);
        return sums;
    }
}
