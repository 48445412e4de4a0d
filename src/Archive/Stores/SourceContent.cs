namespace KafkaEventSourcing.Archive;

/// <summary>
/// What is to be written to an archive: a part of a stream, which clients of object stores may read again and close as they like. A failure
/// of the stream is remembered, as trying again does not help there. Not thread-safe.
/// </summary>
internal sealed class SourceContent(Stream source)
{
    private readonly long _start = source.Position;

    /// <summary>How many bytes there are.</summary>
    public long Length { get; } = source.Length - source.Position;

    /// <summary>Why the stream could not be read; null: it could.</summary>
    public Exception? Fault { get; private set; }

    /// <summary>All of it, or a part of it.</summary>
    public Stream Open(long offset, long length) => new Part(this, source, _start + offset, length);

    private sealed class Part(SourceContent owner, Stream source, long start, long length) : Stream
    {
        private long _position;

        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override bool CanWrite => false;

        public override long Length => length;

        public override long Position
        {
            get => _position;
            set
            {
                ArgumentOutOfRangeException.ThrowIfNegative(value);
                _position = value;
            }
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            if (Wanted(buffer.Length) is not (> 0 and var wanted))
                return 0;
            try
            {
                source.Position = start + _position;
                return Moved(source.Read(buffer[..wanted]));
            }
            catch (Exception fault)
            {
                owner.Fault ??= fault;
                throw;
            }
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Wanted(buffer.Length) is not (> 0 and var wanted))
                return 0;
            try
            {
                source.Position = start + _position;
                return Moved(await source.ReadAsync(buffer[..wanted], cancellationToken));
            }
            catch (Exception fault) when (!cancellationToken.IsCancellationRequested)
            {
                owner.Fault ??= fault;
                throw;
            }
        }

        public override long Seek(long offset, SeekOrigin origin) => Position = offset + origin switch
        {
            SeekOrigin.Begin => 0,
            SeekOrigin.Current => _position,
            _ => length,
        };

        public override void Flush()
        {
        }

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        private int Wanted(int room) => (int)Math.Clamp(length - _position, 0, room);

        private int Moved(int read)
        {
            if (read == 0)
                throw new EndOfStreamException($"What was to be written ended after {_position} bytes of {length}.");
            _position += read;
            return read;
        }
    }
}
