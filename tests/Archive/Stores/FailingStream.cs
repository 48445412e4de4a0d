namespace KafkaEventSourcing.Archive.Tests;

/// <summary>A file that is so long and cannot be read further than to a place.</summary>
internal sealed class FailingStream(long length, long readable) : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position { get; set; }

    public override int Read(byte[] buffer, int offset, int count)
    {
        if (Position >= readable)
            throw new IOException("The file cannot be read further.");
        int read = (int)Math.Min(count, readable - Position);
        buffer.AsSpan(offset, read).Fill((byte)'x');
        Position += read;
        return read;
    }

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => Position + offset,
        _ => length + offset,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
