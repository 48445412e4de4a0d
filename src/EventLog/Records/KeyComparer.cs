namespace KafkaEventSourcing.EventLog;

/// <summary>Keys by their bytes, in the order of RocksDB.</summary>
internal sealed class KeyComparer : IEqualityComparer<byte[]>, IComparer<byte[]>
{
    private readonly int _sign;

    private KeyComparer(int sign) => _sign = sign;

    /// <summary>The order of RocksDB.</summary>
    public static KeyComparer Instance { get; } = new(1);

    /// <summary>The other way round.</summary>
    public static KeyComparer Backwards { get; } = new(-1);

    /// <summary>Whether a key is from <paramref name="from"/> to <paramref name="to"/>, both included; null: without an end.</summary>
    public static bool IsBetween(byte[] key, byte[]? from, byte[]? to) =>
        (from is null || key.AsSpan().SequenceCompareTo(from) >= 0) && (to is null || key.AsSpan().SequenceCompareTo(to) <= 0);

    /// <inheritdoc/>
    public int Compare(byte[]? x, byte[]? y) => _sign * x.AsSpan().SequenceCompareTo(y);

    /// <inheritdoc/>
    public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

    /// <inheritdoc/>
    public int GetHashCode(byte[] obj)
    {
        var hash = new HashCode();
        hash.AddBytes(obj);
        return hash.ToHashCode();
    }
}
