using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// Bounds the bytes of the bodies of all requests that are being answered: a body is in memory several times until its command is
/// committed. A request that announces its length is refused before anything of it is read, one that does not as soon as it is too much.
/// Thread-safe.
/// </summary>
internal sealed class BodiesInFlight(long maxBytes)
{
    private long _bytes;

    /// <summary>The most bytes.</summary>
    public long MaxBytes => maxBytes;

    /// <summary>The bytes of now.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Answers a request within the bounds.</summary>
    /// <exception cref="OverloadedException">Too much is under way already.</exception>
    public async Task Answer(HttpContext context, RequestDelegate next)
    {
        if (context.Request.ContentLength is 0 || HttpMethods.IsGet(context.Request.Method))
        {
            await next(context).ConfigureAwait(false);
            return;
        }

        var body = new Body(this, context.Request.Body);
        try
        {
            body.Take(context.Request.ContentLength ?? 0);
            context.Request.Body = body;
            await next(context).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Add(ref _bytes, -body.Taken);
        }
    }

    /// <summary>The body of one request, which takes bytes as they are read.</summary>
    private sealed class Body(BodiesInFlight all, Stream inner) : Stream
    {
        private long _read;

        public long Taken { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public void Take(long bytes)
        {
            if (bytes <= Taken)
                return;
            long more = bytes - Taken;
            long before = Interlocked.Add(ref all._bytes, more) - more;
            // One body is taken in any case: the limit of a single one is another.
            if (before > 0 && before + more > all.MaxBytes)
            {
                Interlocked.Add(ref all._bytes, -more);
                throw new OverloadedException(string.Create(CultureInfo.InvariantCulture,
                    $"Requests with {before:N0} bytes are being answered, and {all.MaxBytes:N0} may be; try again in a while."));
            }

            Taken = bytes;
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int read = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            Take(_read += read);
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count)
        {
            int read = inner.Read(buffer, offset, count);
            Take(_read += read);
            return read;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
