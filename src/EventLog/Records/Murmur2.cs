using System.Buffers.Binary;

namespace KafkaEventSourcing.EventLog;

/// <summary>Kafka's partitioner for keyed records, so that this library, Java, librdkafka's <c>murmur2</c> and kafkajs agree.</summary>
/// <remarks>Source: Kafka's <c>Utils.murmur2</c> and <c>Utils.toPositive</c>.</remarks>
public static class Murmur2
{
    private const uint Seed = 0x9747b28c;
    private const uint M = 0x5bd1e995;
    private const int R = 24;

    /// <summary>The partition of <paramref name="key"/> among <paramref name="partitions"/>.</summary>
    public static int Partition(ReadOnlySpan<byte> key, int partitions)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(partitions, 1);
        return (int)(Hash(key) & 0x7fffffff) % partitions;
    }

    /// <summary>The hash.</summary>
    public static uint Hash(ReadOnlySpan<byte> data)
    {
        uint h = Seed ^ (uint)data.Length;
        while (data.Length >= 4)
        {
            uint k = BinaryPrimitives.ReadUInt32LittleEndian(data) * M;
            k ^= k >> R;
            h = (h * M) ^ (k * M);
            data = data[4..];
        }

        if (data.Length >= 3)
            h ^= (uint)data[2] << 16;
        if (data.Length >= 2)
            h ^= (uint)data[1] << 8;
        if (data.Length >= 1)
            h = (h ^ data[0]) * M;
        h = (h ^ (h >> 13)) * M;
        return h ^ (h >> 15);
    }
}
