using System.Buffers;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// Pooled memory that the records of one answer are read into, from the file and nowhere else; it goes back to the pool when the answer is
/// sent. Not thread-safe.
/// </summary>
internal sealed class RecordMemory : IDisposable
{
    private readonly List<byte[]> _rented = [];

    /// <summary>At least <paramref name="bytes"/>, with whatever was there before.</summary>
    public byte[] Rent(int bytes)
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(bytes);
        _rented.Add(rented);
        return rented;
    }

    /// <summary>Gives everything back: nobody may look at it any more.</summary>
    public void Dispose()
    {
        foreach (byte[] rented in _rented)
            ArrayPool<byte>.Shared.Return(rented);
        _rented.Clear();
    }
}
