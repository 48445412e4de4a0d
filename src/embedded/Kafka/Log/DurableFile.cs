using System.Text;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>Small files that are replaced as a whole, durably: who reads them after a crash sees the old one or the new one.</summary>
internal static class DurableFile
{
    public static void Replace(string path, string content) => Replace(path, Encoding.UTF8.GetBytes(content));

    public static void Replace(string path, ReadOnlySpan<byte> content)
    {
        string temporary = path + ".tmp";
        using (Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(temporary, FileMode.Create, FileAccess.Write))
        {
            FileWrite.At(file, content, 0);
            RandomAccess.FlushToDisk(file);
        }

        File.Move(temporary, path, overwrite: true);
    }
}
