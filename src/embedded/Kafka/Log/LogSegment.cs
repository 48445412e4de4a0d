using System.Buffers.Binary;
using System.Globalization;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Microsoft.Win32.SafeHandles;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// One segment: the <c>.log</c> file with record batches byte for byte, and a sparse index in memory that <see cref="WriteIndexes"/> puts beside it in Kafka's formats. Appends belong to the
/// log's writer; reads are thread-safe.
/// </summary>
internal sealed class LogSegment : IDisposable
{
    private readonly SafeFileHandle _file;
    private readonly List<IndexEntry> _index = [];
    private readonly Lock _indexLock = new();
    private long _indexedSize;
    private long _size;
    private int _readers;
    private bool _retired;

    private LogSegment(string path, long baseOffset, SafeFileHandle file)
    {
        (Path, BaseOffset, _file) = (path, baseOffset, file);
        NextOffset = baseOffset;
    }

    public string Path { get; }

    public long BaseOffset { get; }

    public long NextOffset { get; private set; }

    public long Size => Interlocked.Read(ref _size);

    public long MaxTimestamp { get; private set; } = -1;

    /// <summary>When its first batch came, by the clock of the log; null while it is empty or was opened.</summary>
    public DateTimeOffset? FirstAppend { get; set; }

    public static string NameOf(long baseOffset) => baseOffset.ToString("D20", CultureInfo.InvariantCulture);

    public static LogSegment Open(string directory, long baseOffset)
    {
        string path = System.IO.Path.Combine(directory, NameOf(baseOffset) + ".log");
        var file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        return new LogSegment(path, baseOffset, file) { _size = RandomAccess.GetLength(file) };
    }

    /// <summary>Writes whole batches whose offsets are set.</summary>
    public void Append(ReadOnlySpan<byte> batches, long firstOffset, long nextOffset, long maxTimestamp, long indexInterval)
    {
        long position = _size;
        RandomAccess.Write(_file, batches, position);
        Index(firstOffset, position, indexInterval);
        NextOffset = nextOffset;
        MaxTimestamp = Math.Max(MaxTimestamp, maxTimestamp);
        Interlocked.Exchange(ref _size, position + batches.Length);
    }

    /// <summary>
    /// Reads every batch header from the start, tells <paramref name="visit"/> of each, and builds the index. Stops at the first batch that is torn or, where <paramref name="checkCrc"/> says so,
    /// corrupt, and returns its position; the file's size when all is well.
    /// </summary>
    public long Scan(bool checkCrc, long indexInterval, BatchVisitor visit)
    {
        long end = _size;
        long position = 0;
        byte[] buffer = new byte[64 * 1024];
        while (position < end)
        {
            int available = RandomAccess.Read(_file, buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - position)), position);
            int at = 0;
            while (available - at >= RecordBatch.HeaderLength)
            {
                int length = BinaryPrimitives.ReadInt32BigEndian(buffer.AsSpan(at + 8));
                if (length < RecordBatch.HeaderLength - RecordBatch.LogOverhead || length > end - position - at - RecordBatch.LogOverhead || buffer[at + 16] != RecordBatch.Magic)
                    return position + at;
                int size = length + RecordBatch.LogOverhead;
                if (checkCrc && size > available - at)
                {
                    if (size <= buffer.Length)
                        break; // read again from this batch on
                    byte[] whole = new byte[size];
                    RandomAccess.Read(_file, whole, position + at);
                    if (!new RecordBatch(whole).HasValidCrc)
                        return position + at;
                }

                var batch = new RecordBatch(buffer.AsSpan(at, Math.Min(size, available - at)));
                if ((checkCrc && size <= available - at && !batch.HasValidCrc) || batch.BaseOffset < NextOffset)
                    return position + at;
                Index(batch.BaseOffset, position + at, indexInterval);
                NextOffset = batch.LastOffset + 1;
                MaxTimestamp = Math.Max(MaxTimestamp, batch.MaxTimestamp);
                visit(batch, position + at);
                at += size;
                if (at >= available)
                    break;
            }

            if (at == 0)
                return position;
            position += at;
        }

        return position;
    }

    /// <summary>Cuts the file off at <paramref name="position"/>.</summary>
    public void Truncate(long position)
    {
        RandomAccess.SetLength(_file, position);
        Interlocked.Exchange(ref _size, position);
    }

    /// <summary>Reads whole batches from the one that holds <paramref name="offset"/> on, at most <paramref name="maxBytes"/>, the first one in any case when <paramref name="minOne"/> says so, and none from <paramref name="limitOffset"/> on.</summary>
    public byte[] Read(long offset, int maxBytes, bool minOne, long limitOffset)
    {
        long size = Size;
        long position = PositionOf(offset, size);
        if (position >= size)
            return [];
        int want = (int)Math.Min(Math.Max(maxBytes, RecordBatch.HeaderLength), size - position);
        byte[] buffer = GC.AllocateUninitializedArray<byte>(want);
        int read = RandomAccess.Read(_file, buffer, position);
        int end = WholeBatches(buffer.AsSpan(0, read), limitOffset, out int firstSize, out bool limited);
        if (end > maxBytes)
            end = 0;
        if (end == 0 && minOne && !limited && firstSize > 0 && firstSize <= size - position)
        {
            buffer = GC.AllocateUninitializedArray<byte>(firstSize);
            RandomAccess.Read(_file, buffer, position);
            return buffer;
        }

        return end == buffer.Length ? buffer : buffer.AsSpan(0, end).ToArray();
    }

    /// <summary>The whole file.</summary>
    public byte[] ReadAll()
    {
        byte[] all = GC.AllocateUninitializedArray<byte>(checked((int)Size));
        RandomAccess.Read(_file, all, 0);
        return all;
    }

    /// <summary>The first batch whose largest timestamp is at least <paramref name="timestamp"/>: its bytes, or null.</summary>
    public byte[]? FindTimestamp(long timestamp)
    {
        if (MaxTimestamp < timestamp)
            return null;
        long position = 0;
        lock (_indexLock)
        {
            foreach (IndexEntry entry in _index)
            {
                if (entry.MaxTimestampBefore >= timestamp)
                    break;
                position = entry.Position;
            }
        }

        byte[] header = new byte[RecordBatch.HeaderLength];
        for (long size = Size; position < size;)
        {
            RandomAccess.Read(_file, header, position);
            var batch = new RecordBatch(header);
            if (batch.MaxTimestamp >= timestamp)
            {
                byte[] whole = new byte[batch.Size];
                RandomAccess.Read(_file, whole, position);
                return whole;
            }

            position += batch.Size;
        }

        return null;
    }

    public void Flush() => RandomAccess.FlushToDisk(_file);

    /// <summary>Writes the offset and time indexes in Kafka's formats.</summary>
    public void WriteIndexes()
    {
        lock (_indexLock)
        {
            byte[] offsets = new byte[_index.Count * 8];
            byte[] times = new byte[_index.Count * 12];
            int timeEntries = 0;
            long lastTime = -1;
            for (int i = 0; i < _index.Count; i++)
            {
                BinaryPrimitives.WriteInt32BigEndian(offsets.AsSpan(i * 8), (int)(_index[i].Offset - BaseOffset));
                BinaryPrimitives.WriteInt32BigEndian(offsets.AsSpan((i * 8) + 4), (int)_index[i].Position);
                if (_index[i].MaxTimestampBefore <= lastTime)
                    continue;
                lastTime = _index[i].MaxTimestampBefore;
                BinaryPrimitives.WriteInt64BigEndian(times.AsSpan(timeEntries * 12), lastTime);
                BinaryPrimitives.WriteInt32BigEndian(times.AsSpan((timeEntries * 12) + 8), (int)(_index[i].Offset - BaseOffset));
                timeEntries++;
            }

            File.WriteAllBytes(System.IO.Path.ChangeExtension(Path, ".index"), offsets);
            File.WriteAllBytes(System.IO.Path.ChangeExtension(Path, ".timeindex"), times.AsSpan(0, timeEntries * 12));
        }
    }

    /// <summary>A reader uses the segment until it calls <see cref="Leave"/>; false when it is being deleted.</summary>
    public bool TryEnter()
    {
        lock (_indexLock)
        {
            if (_retired)
                return false;
            _readers++;
            return true;
        }
    }

    public void Leave()
    {
        bool last;
        lock (_indexLock)
            last = --_readers == 0 && _retired;
        if (last)
            _file.Dispose();
    }

    /// <summary>Deletes the files; readers that are at it finish first.</summary>
    public void Delete()
    {
        Retire();
        foreach (string extension in (string[])[".log", ".index", ".timeindex"])
            File.Delete(System.IO.Path.ChangeExtension(Path, extension));
    }

    public void Dispose() => Retire();

    private void Retire()
    {
        bool unused;
        lock (_indexLock)
        {
            if (_retired)
                return;
            _retired = true;
            unused = _readers == 0;
        }

        if (unused)
            _file.Dispose();
    }

    private static int WholeBatches(Span<byte> buffer, long limitOffset, out int firstSize, out bool limited)
    {
        firstSize = 0;
        limited = false;
        int end = 0;
        while (buffer.Length - end >= RecordBatch.HeaderLength)
        {
            var batch = new RecordBatch(buffer[end..]);
            if (end == 0)
                firstSize = batch.Size;
            if (batch.BaseOffset >= limitOffset)
            {
                limited = true;
                break;
            }

            if (batch.Size > buffer.Length - end)
                break;
            end += batch.Size;
        }

        return end;
    }

    private void Index(long offset, long position, long interval)
    {
        lock (_indexLock)
        {
            if (_index.Count == 0 || position - _indexedSize >= interval)
            {
                _index.Add(new IndexEntry(offset, position, MaxTimestamp));
                _indexedSize = position;
            }
        }
    }

    private long PositionOf(long offset, long size)
    {
        long position = 0;
        lock (_indexLock)
        {
            int low = 0;
            int high = _index.Count - 1;
            while (low <= high)
            {
                int middle = (low + high) / 2;
                if (_index[middle].Offset <= offset)
                {
                    position = _index[middle].Position;
                    low = middle + 1;
                }
                else
                {
                    high = middle - 1;
                }
            }
        }

        Span<byte> header = stackalloc byte[RecordBatch.HeaderLength];
        while (position < size)
        {
            RandomAccess.Read(_file, header, position);
            var batch = new RecordBatch(header);
            if (batch.LastOffset >= offset)
                break;
            position += batch.Size;
        }

        return position;
    }

    private readonly record struct IndexEntry(long Offset, long Position, long MaxTimestampBefore);
}

/// <summary>Told of each batch of a scan.</summary>
internal delegate void BatchVisitor(RecordBatch batch, long position);
