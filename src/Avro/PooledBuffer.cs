using System.Buffers;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// A buffer to encode into again and again, of pooled memory: one that has grown beyond 64 KiB for a large message goes back to the pool
/// when it is cleared, so that what encodes messages does not keep the memory of the largest one. Not thread-safe.
/// </summary>
public sealed class PooledBuffer : IBufferWriter<byte>
{
    private const int Smallest = 1024;
    private const int MaxKept = 64 * 1024;

    private byte[] _bytes = [];

    /// <summary>How many bytes were written.</summary>
    public int WrittenCount { get; private set; }

    /// <summary>What was written; good until the next call.</summary>
    public ReadOnlySpan<byte> WrittenSpan => _bytes.AsSpan(0, WrittenCount);

    /// <summary>Forgets what was written, and gives a large buffer back.</summary>
    public void Clear()
    {
        if (_bytes.Length > MaxKept)
            Reset();
        WrittenCount = 0;
    }

    /// <summary>Forgets what was written, and gives the buffer back.</summary>
    public void Reset()
    {
        byte[] bytes = _bytes;
        (_bytes, WrittenCount) = ([], 0);
        if (bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(bytes);
    }

    /// <inheritdoc/>
    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _bytes.Length - WrittenCount);
        WrittenCount += count;
    }

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _bytes.AsMemory(WrittenCount);
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _bytes.AsSpan(WrittenCount);
    }

    private void Reserve(int sizeHint)
    {
        int wanted = Math.Max(1, sizeHint);
        if (_bytes.Length - WrittenCount >= wanted)
            return;
        // the pool's sizes are powers of two
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(Smallest, checked(WrittenCount + wanted)));
        WrittenSpan.CopyTo(larger);
        if (_bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
