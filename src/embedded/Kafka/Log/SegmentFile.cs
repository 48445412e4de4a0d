using System.Buffers;
using Microsoft.Win32.SafeHandles;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// The <c>.log</c> file of a segment: record batches one behind the other. It is opened when first needed, and closed once nobody reads it
/// any more. Reads take no lock; what lies behind <see cref="Size"/> does not count.
/// </summary>
internal sealed class SegmentFile(long baseOffset, Func<string> path) : IDisposable
{
    private const int Retired = 1 << 30;
    private const int LookupChunk = 8 * 1024;
    private const int ScanChunk = 256 * 1024;

    private readonly Lock _openLock = new();
    private SafeFileHandle? _file;
    private long _size;
    private int _users;
    private bool _isTorn;

    public long Size
    {
        get => Interlocked.Read(ref _size);
        set => Interlocked.Exchange(ref _size, value);
    }

    private SafeFileHandle Handle
    {
        get
        {
            if (Volatile.Read(ref _file) is { } open)
                return open;
            lock (_openLock)
                return _file ??= File.OpenHandle(path(), FileMode.OpenOrCreate, FileAccess.ReadWrite,
                    FileShare.ReadWrite | FileShare.Delete);
        }
    }

    /// <summary>Opens the file, which stays open by whatever name it gets.</summary>
    public void Open() => _ = Handle;

    /// <summary>
    /// Writes behind the last batch. Of a write that fails in the middle nothing stays: after a clean stop the file is taken as it is.
    /// </summary>
    public void Write(ReadOnlySpan<byte> batches, long position)
    {
        CutTornWrite();
        try
        {
            FileWrite.At(Handle, batches, position);
        }
        catch
        {
            _isTorn = true;
            CutTornWrite();
            throw;
        }
    }

    /// <summary>Writes so many bytes behind the last batch and takes them back: throws when they cannot be written.</summary>
    public void Try(int bytes)
    {
        Write(new byte[bytes], Size);
        _isTorn = true;
        Flush();
        CutTornWrite();
    }

    /// <summary>
    /// Cuts off what a failed write left. Where that fails too, it is done before the next write, and before the file counts as whole.
    /// </summary>
    public void CutTornWrite()
    {
        if (!_isTorn)
            return;
        RandomAccess.SetLength(Handle, Size);
        _isTorn = false;
    }

    /// <summary>Cuts off what is behind <paramref name="end"/>.</summary>
    public void Cut(long end)
    {
        RandomAccess.SetLength(Handle, end);
        Size = end;
    }

    public void Flush() => RandomAccess.FlushToDisk(Handle);

    /// <summary>Fills <paramref name="buffer"/>, unless the file ends before; returns how many bytes there were.</summary>
    public int Read(Span<byte> buffer, long position)
    {
        int total = 0;
        while (total < buffer.Length)
        {
            int read = RandomAccess.Read(Handle, buffer[total..], position + total);
            if (read == 0)
                break;
            total += read;
        }

        return total;
    }

    /// <summary>
    /// Where the first batch from <paramref name="position"/> on that reaches <paramref name="offset"/> starts; null when there is none.
    /// </summary>
    public (long Position, int Size, long BaseOffset)? Find(long offset, long position, long size)
    {
        Span<byte> chunk = stackalloc byte[LookupChunk];
        while (position < size)
        {
            int read = Read(chunk[..(int)Math.Min(chunk.Length, size - position)], position);
            if (read < RecordBatch.HeaderLength)
                return null;
            int at = 0;
            do
            {
                var batch = new RecordBatch(chunk[at..]);
                if (batch.LastOffset >= offset)
                    return (position + at, batch.Size, batch.BaseOffset);
                if (batch.Size < RecordBatch.HeaderLength)
                    return null;
                at += batch.Size;
            }
            while (read - at >= RecordBatch.HeaderLength);
            position += at;
        }

        return null;
    }

    /// <summary>
    /// Tells <paramref name="visit"/> of each batch between two positions. Stops at the first that is torn or, where
    /// <paramref name="checkCrc"/> says so, corrupt, and returns its position; the end when all is well. With
    /// <paramref name="headersOnly"/> a batch may end after its header, unless it is a marker.
    /// </summary>
    public long Scan(long position, long end, bool checkCrc, BatchVisitor visit, bool headersOnly = false, Func<bool>? until = null)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(ScanChunk, Math.Max(end - position, RecordBatch.HeaderLength)));
        try
        {
            long previous = baseOffset - 1;
            long fileEnd = Size;
            while (position < end)
            {
                int read = Read(buffer.AsSpan(0, (int)Math.Min(buffer.Length, fileEnd - position)), position);
                if (read < RecordBatch.HeaderLength)
                    return position;
                int at = 0;
                int needed = 0;
                while (position + at < end && read - at >= RecordBatch.HeaderLength)
                {
                    var batch = new RecordBatch(buffer.AsSpan(at, read - at));
                    if (batch.MagicByte != RecordBatch.Magic
                        || batch.BatchLength < RecordBatch.HeaderLength - RecordBatch.LogOverhead
                        || batch.BatchLength > fileEnd - position - at - RecordBatch.LogOverhead)
                        return position + at;
                    if (batch.Size > read - at && (!headersOnly || batch.IsControl))
                    {
                        needed = batch.Size;
                        break;
                    }

                    if (batch.BaseOffset <= previous || batch.LastOffset < batch.BaseOffset || (checkCrc && !batch.HasValidCrc))
                        return position + at;
                    previous = batch.LastOffset;
                    visit(batch, position + at);
                    at += batch.Size;
                    if (until?.Invoke() == true)
                        return position + at;
                }

                position += at;
                if (needed > buffer.Length)
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = ArrayPool<byte>.Shared.Rent(needed);
                }
                else if (at == 0 && needed == 0)
                {
                    return position;
                }
            }

            return end;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>A reader uses the segment until it calls <see cref="Leave"/>; false when it is being deleted.</summary>
    public bool TryEnter()
    {
        if ((Interlocked.Increment(ref _users) & Retired) == 0)
            return true;
        Leave();
        return false;
    }

    public void Leave()
    {
        if (Interlocked.Decrement(ref _users) == Retired)
            _file?.Dispose();
    }

    /// <summary>Closes the file once readers are done.</summary>
    public void Dispose()
    {
        int users = Interlocked.Or(ref _users, Retired);
        if (users == 0)
            _file?.Dispose();
    }
}

/// <summary>Called with each batch of a scan.</summary>
internal delegate void BatchVisitor(RecordBatch batch, long position);
