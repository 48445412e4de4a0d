using System.Text;
using Microsoft.Win32.SafeHandles;

namespace KafkaEventSourcing.Cli;

/// <summary>Standard output that tells when nobody reads it any more; on Unix the console's own writer stays silent then.</summary>
internal static class StandardOutput
{
    private const int Handle = 1;
    private const int BrokenPipe = 32; // EPIPE

    /// <summary>A writer that hands on every line at once.</summary>
    public static TextWriter Open() => OperatingSystem.IsWindows()
        ? Console.Out
        : new StreamWriter(new FileStream(new SafeFileHandle(Handle, ownsHandle: false), FileAccess.Write, bufferSize: 0), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true };

    /// <summary>Whether the reader has gone: <c>head</c> has its lines. Anything else, such as a full disk, is a failure.</summary>
    public static bool IsReaderGone(IOException failure) => failure.HResult == BrokenPipe;
}
