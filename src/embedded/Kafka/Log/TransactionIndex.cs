using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// A transaction that was aborted: its records lie between the first offset and its marker's, the last. <see cref="LastStableOffset"/> is
/// what it was after the marker.
/// </summary>
internal readonly record struct AbortedTransaction(long ProducerId, long FirstOffset, long LastOffset, long LastStableOffset = -1);

/// <summary>
/// The <c>.txnindex</c> of a segment: the transactions whose abort marker it holds. Kafka's format: int16 version, then producer id, first
/// offset, last offset, last stable offset, int64 each. The file exists only when there are some. One writer; reads take no lock.
/// </summary>
internal sealed class TransactionIndex(long baseOffset)
{
    public const int EntrySize = 34;
    private const short Version = 0;

    private AbortedTransaction[] _entries = [];
    private int _count;
    private int _written;

    public ReadOnlySpan<AbortedTransaction> Entries
    {
        get
        {
            int count = Volatile.Read(ref _count);
            return Volatile.Read(ref _entries).AsSpan(0, count);
        }
    }

    /// <summary>
    /// Appends, to the file at once. The marker is in the log already, and no reader may miss it: where the file cannot be written the
    /// entry counts all the same, and is written before the log is flushed.
    /// </summary>
    public void Append(string path, in AbortedTransaction aborted)
    {
        if (_count > 0 && aborted.LastOffset <= _entries[_count - 1].LastOffset)
            throw new InvalidOperationException(
                $"The abort marker at {aborted.LastOffset} is not above the last one of the index, {_entries[_count - 1].LastOffset}.");
        if (_count == _entries.Length)
            Array.Resize(ref _entries, Math.Max(4, _count * 2));
        _entries[_count] = aborted;
        Volatile.Write(ref _count, _count + 1);
        try
        {
            Write(path);
        }
        catch (Exception fault) when (StorageHealth.IsFault(fault))
        {
            // The next append or flush writes it; until then a start after a crash finds it again by the log.
        }
    }

    /// <summary>Brings the file up to the entries.</summary>
    public void Write(string path)
    {
        int count = _count;
        if (_written >= count)
            return;
        byte[] added = new byte[(count - _written) * EntrySize];
        for (int i = _written; i < count; i++)
        {
            Span<byte> entry = added.AsSpan((i - _written) * EntrySize);
            BinaryPrimitives.WriteInt16BigEndian(entry, Version);
            BinaryPrimitives.WriteInt64BigEndian(entry[2..], _entries[i].ProducerId);
            BinaryPrimitives.WriteInt64BigEndian(entry[10..], _entries[i].FirstOffset);
            BinaryPrimitives.WriteInt64BigEndian(entry[18..], _entries[i].LastOffset);
            BinaryPrimitives.WriteInt64BigEndian(entry[26..], _entries[i].LastStableOffset);
        }

        using SafeFileHandle file = FileWrite.Open(path);
        FileWrite.At(file, added, (long)_written * EntrySize);
        _written = count;
    }

    /// <summary>Takes the file's entries; false when it is torn or is no such index. No file: no entries.</summary>
    public bool TryLoad(string path)
    {
        if (!File.Exists(path))
            return true;
        byte[] file = File.ReadAllBytes(path);
        if (file.Length % EntrySize != 0)
            return false;
        var entries = new AbortedTransaction[file.Length / EntrySize];
        long last = -1;
        for (int i = 0; i < entries.Length; i++)
        {
            ReadOnlySpan<byte> entry = file.AsSpan(i * EntrySize);
            entries[i] = new AbortedTransaction(
                BinaryPrimitives.ReadInt64BigEndian(entry[2..]),
                BinaryPrimitives.ReadInt64BigEndian(entry[10..]),
                BinaryPrimitives.ReadInt64BigEndian(entry[18..]),
                BinaryPrimitives.ReadInt64BigEndian(entry[26..]));
            if (BinaryPrimitives.ReadInt16BigEndian(entry) != Version
                || entries[i].LastOffset < baseOffset
                || entries[i].LastOffset <= last
                || entries[i].FirstOffset > entries[i].LastOffset)
                return false;
            last = entries[i].LastOffset;
        }

        _entries = entries;
        _written = entries.Length;
        Volatile.Write(ref _count, entries.Length);
        return true;
    }

    /// <summary>Forgets transactions whose marker is at <paramref name="offset"/> or above.</summary>
    public void TruncateToOffset(string path, long offset)
    {
        while (_count > 0 && _entries[_count - 1].LastOffset >= offset)
            _count--;
        _written = Math.Min(_written, _count);
        if (_count == 0)
        {
            File.Delete(path);
            return;
        }

        using SafeFileHandle file = FileWrite.Open(path);
        RandomAccess.SetLength(file, (long)_count * EntrySize);
    }

    public void Reset(string path)
    {
        _count = _written = 0;
        File.Delete(path);
    }
}
