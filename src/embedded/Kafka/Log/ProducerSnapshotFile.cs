using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// A <c>.snapshot</c> file, Kafka's ProducerSnapshot version 1: int16 version, uint32 CRC-32C of what follows, int32 count, then 46 bytes a
/// producer.
/// </summary>
internal static class ProducerSnapshotFile
{
    public const string Extension = ".snapshot";
    private const short Version = 1;
    private const int CrcAt = 2;
    private const int EntriesAt = 6;
    private const int FirstEntryAt = EntriesAt + 4;
    private const int EntrySize = 46;

    public static void Write(string path, IReadOnlyCollection<ProducerStateEntry> producers)
    {
        byte[] bytes = new byte[FirstEntryAt + (producers.Count * EntrySize)];
        BinaryPrimitives.WriteInt16BigEndian(bytes, Version);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(EntriesAt), producers.Count);
        Span<byte> at = bytes.AsSpan(FirstEntryAt);
        foreach (ProducerStateEntry producer in producers)
        {
            BinaryPrimitives.WriteInt64BigEndian(at, producer.ProducerId);
            BinaryPrimitives.WriteInt16BigEndian(at[8..], producer.Epoch);
            BinaryPrimitives.WriteInt32BigEndian(at[10..], producer.LastSequence);
            BinaryPrimitives.WriteInt64BigEndian(at[14..], producer.LastDataOffset);
            BinaryPrimitives.WriteInt32BigEndian(at[22..], producer.BatchCount == 0 ? 0 : producer.LastBatch.OffsetDelta);
            BinaryPrimitives.WriteInt64BigEndian(at[26..], producer.LastTimestamp);
            BinaryPrimitives.WriteInt32BigEndian(at[34..], producer.CoordinatorEpoch);
            BinaryPrimitives.WriteInt64BigEndian(at[38..], producer.CurrentTransactionFirstOffset);
            at = at[EntrySize..];
        }

        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(CrcAt), Crc32C.Compute(bytes.AsSpan(EntriesAt)));
        using SafeFileHandle file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        FileWrite.At(file, bytes, 0);
    }

    /// <summary>The producers; null when the file is torn, corrupt or of another version.</summary>
    public static List<ProducerStateEntry>? Read(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        if (bytes.Length < FirstEntryAt || BinaryPrimitives.ReadInt16BigEndian(bytes) != Version
            || BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(CrcAt)) != Crc32C.Compute(bytes.AsSpan(EntriesAt)))
            return null;
        int count = BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(EntriesAt));
        if (count < 0 || bytes.Length != FirstEntryAt + ((long)count * EntrySize))
            return null;
        var producers = new List<ProducerStateEntry>(count);
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> at = bytes.AsSpan(FirstEntryAt + (i * EntrySize));
            long lastOffset = BinaryPrimitives.ReadInt64BigEndian(at[14..]);
            long timestamp = BinaryPrimitives.ReadInt64BigEndian(at[26..]);
            BatchMetadata? last = lastOffset < 0
                ? null
                : new BatchMetadata(BinaryPrimitives.ReadInt32BigEndian(at[10..]), lastOffset,
                    BinaryPrimitives.ReadInt32BigEndian(at[22..]), timestamp);
            producers.Add(ProducerStateEntry.Restore(BinaryPrimitives.ReadInt64BigEndian(at), BinaryPrimitives.ReadInt16BigEndian(at[8..]),
                BinaryPrimitives.ReadInt32BigEndian(at[34..]), timestamp, BinaryPrimitives.ReadInt64BigEndian(at[38..]), last));
        }

        return producers;
    }
}
