using Microsoft.Win32.SafeHandles;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>Writes to files, all of them.</summary>
internal static class FileWrite
{
    /// <summary>Opens a file to write in it, or makes it; others may read, rename and delete it meanwhile.</summary>
    public static SafeFileHandle Open(string path) =>
        File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);

    /// <summary>Writes at a position.</summary>
    /// <exception cref="IOException">It cannot: the disk is full, a limit is reached, the device fails.</exception>
    public static void At(SafeFileHandle file, ReadOnlySpan<byte> bytes, long position)
    {
        try
        {
            RandomAccess.Write(file, bytes, position);
        }
        catch (ArgumentOutOfRangeException tooLarge)
        {
            // What .NET makes of EFBIG: the file would be larger than the file system, or the limit of the process, allows.
            throw new IOException("File too large", tooLarge);
        }
    }
}
