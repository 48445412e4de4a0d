namespace KafkaEventSourcing.Chaos;

/// <summary>
/// SplitMix64 (Steele, Lea, Flood, 2014): the same numbers for a seed on every runtime, which <see cref="Random"/> does not promise. Not
/// thread-safe.
/// </summary>
internal sealed class SeededRandom
{
    private ulong _state;

    /// <summary>The <paramref name="stream"/>-th row of numbers of <paramref name="seed"/>.</summary>
    public SeededRandom(long seed, int stream = 0)
    {
        _state = unchecked((ulong)seed);
        _state = Next() ^ unchecked((ulong)stream * 0xD1B54A32D192ED03);
    }

    public ulong Next()
    {
        ulong z = unchecked(_state += 0x9E3779B97F4A7C15);
        z = unchecked((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9);
        z = unchecked((z ^ (z >> 27)) * 0x94D049BB133111EB);
        return z ^ (z >> 31);
    }

    /// <summary>From 0 to <paramref name="below"/> - 1.</summary>
    public int Below(int below) => (int)(Next() % (ulong)below);

    /// <summary>From <paramref name="least"/> to <paramref name="most"/>, both included.</summary>
    public long Between(long least, long most) => least + (long)(Next() % (ulong)(most - least + 1));

    public TimeSpan Between(TimeSpan least, TimeSpan most) =>
        TimeSpan.FromMilliseconds(Between((long)least.TotalMilliseconds, (long)most.TotalMilliseconds));

    public bool Chance(int percent) => Below(100) < percent;

    public T Of<T>(IReadOnlyList<T> values) => values[Below(values.Count)];
}
