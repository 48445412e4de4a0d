using System.Buffers.Text;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// <c>partition.metadata</c>: which topic a folder belongs to, by id. A topic that was deleted and made anew has another id.
/// </summary>
internal static class PartitionMetadataFile
{
    private const string FileName = "partition.metadata";
    private const string IdField = "topic_id: ";

    /// <summary>The id; null when there is no file.</summary>
    /// <exception cref="InvalidDataException">The file is of an unknown version or torn.</exception>
    public static Guid? Read(string directory)
    {
        string path = Path.Combine(directory, FileName);
        if (!File.Exists(path))
            return null;
        string[] lines = File.ReadAllLines(path);
        if (lines is not ["version: 0", var id, ..]
            || !id.StartsWith(IdField, StringComparison.Ordinal)
            || id.Length != IdField.Length + 22)
            throw new InvalidDataException($"{path} is torn or of an unknown version.");
        return new Guid(Base64Url.DecodeFromChars(id.AsSpan(IdField.Length)), bigEndian: true);
    }

    public static void Write(string directory, Guid topicId) =>
        DurableFile.Replace(Path.Combine(directory, FileName),
            $"version: 0\n{IdField}{Base64Url.EncodeToString(topicId.ToByteArray(bigEndian: true))}");
}
