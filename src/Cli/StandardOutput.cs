using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;

namespace KafkaEventSourcing.Cli;

/// <summary>
/// Standard output that tells when nobody reads it any more; on Unix the console's own writer stays silent then. It writes where the file
/// descriptor is: a file stream keeps a position of its own, and what others who share the output have written would be overwritten.
/// </summary>
internal static class StandardOutput
{
    private const int BrokenPipe = 32; // EPIPE

    /// <summary>A writer that hands on every line at once.</summary>
    public static TextWriter Open() => OperatingSystem.IsWindows()
        ? Console.Out
        : new StreamWriter(new Descriptor(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true };

    /// <summary>Whether the reader has gone: <c>head</c> has its lines. Anything else, such as a full disk, is a failure.</summary>
    public static bool IsReaderGone(IOException failure) => failure.HResult == BrokenPipe;

    private sealed class Descriptor : Stream
    {
        private const int Output = 1;
        private const int Interrupted = 4; // EINTR

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
            // Nothing is held back.
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            while (buffer.Length > 0)
            {
                nint written = WriteTo(Output, in MemoryMarshal.GetReference(buffer), buffer.Length);
                if (written >= 0)
                    buffer = buffer[(int)written..];
                else if (Marshal.GetLastPInvokeError() is var error and not Interrupted)
                    throw new IOException($"Standard output cannot be written: {new Win32Exception(error).Message}", error);
            }
        }

        [DllImport("libc", EntryPoint = "write", SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        private static extern nint WriteTo(int descriptor, in byte bytes, nint count);
    }
}
