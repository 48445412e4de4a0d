using System.Buffers;

namespace KafkaEventSourcing.Archive;

/// <summary>
/// A file of an archive as a stream that can be sought; it reads ahead, and blocks. Not thread-safe.
/// </summary>
/// <param name="store">Where the file is.</param>
/// <param name="name">The file.</param>
/// <param name="length">Its length in bytes.</param>
/// <param name="readAhead">How many bytes are asked for at least.</param>
internal sealed class ArchiveStream(IArchiveStore store, string name, long length, int readAhead = 64 * 1024) : Stream
{
    private byte[]? _buffer;
    private long _from; // of the buffer, in the file
    private int _count;
    private long _position;

    /// <summary>What reading the file has failed with; null: nothing. Who reads through a library may be told something else.</summary>
    public Exception? Failure { get; private set; }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => true;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => length;

    /// <inheritdoc/>
    public override long Position
    {
        get => _position;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _position = value;
        }
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    /// <exception cref="EndOfStreamException">The file is shorter than it was said to be.</exception>
    public override int Read(Span<byte> buffer)
    {
        if (buffer.IsEmpty || _position >= length)
            return 0;
        if (_position < _from || _position >= _from + _count)
            Fill(buffer.Length);
        int start = (int)(_position - _from);
        int read = Math.Min(buffer.Length, _count - start);
        _buffer.AsSpan(start, read).CopyTo(buffer);
        _position += read;
        return read;
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => _position + offset,
        _ => length + offset,
    };

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_buffer is not null)
            ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, _count) = (null, 0);
        base.Dispose(disposing);
    }

    private void Fill(int wanted)
    {
        int size = (int)Math.Min(Math.Max(wanted, readAhead), length - _position);
        if (_buffer is null || _buffer.Length < size)
        {
            if (_buffer is not null)
                ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = null;
            _buffer = ArrayPool<byte>.Shared.Rent(size);
        }

        (_from, _count) = (_position, 0);
        try
        {
            int read = store.ReadAsync(name, _position, _buffer.AsMemory(0, size)).GetAwaiter().GetResult(); // readers own their threads
            if (read < size)
                throw ArchiveBytes.TooShort(store, name, _position + read, length);
        }
        catch (Exception failure)
        {
            Failure = failure;
            throw;
        }

        _count = size;
    }
}
