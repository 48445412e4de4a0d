namespace KafkaEventSourcing.Archive;

/// <summary>
/// Passes on what is written until it is abandoned: the library ends a file properly also where it is disposed of halfway, and half a file
/// must not look like a whole one.
/// </summary>
internal sealed class AbandonableStream(Stream output) : Stream
{
    private long _written;

    /// <summary>From now on nothing is passed on.</summary>
    public bool IsAbandoned { get; set; }

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => _written;

    /// <inheritdoc/>
    public override long Position
    {
        get => _written;
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override void Flush()
    {
        if (!IsAbandoned)
            output.Flush();
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (!IsAbandoned)
            output.Write(buffer);
        _written += buffer.Length;
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();
}
