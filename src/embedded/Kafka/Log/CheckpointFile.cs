using System.Globalization;
using System.Text;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// Kafka's checkpoint files: a line with the version, one with the number of entries, then one an entry.
/// </summary>
internal static class CheckpointFile
{
    private const string Version = "0";

    /// <summary>The entries' fields; null when there is no file.</summary>
    /// <exception cref="InvalidDataException">The file is not a whole checkpoint.</exception>
    public static IReadOnlyList<string[]>? Read(string path)
    {
        if (!File.Exists(path))
            return null;
        string[] lines = File.ReadAllLines(path);
        if (lines.Length < 2
            || lines[0] != Version
            || !int.TryParse(lines[1], NumberStyles.None, CultureInfo.InvariantCulture, out int count)
            || lines.Length != count + 2)
            throw new InvalidDataException($"The checkpoint file {path} is torn or of an unknown version.");
        return [.. lines.Skip(2).Select(line => line.Split(' '))];
    }

    public static void Write(string path, IReadOnlyCollection<string> entries)
    {
        var text = new StringBuilder($"{Version}\n").Append(entries.Count.ToString(CultureInfo.InvariantCulture)).Append('\n');
        foreach (string entry in entries)
            text.Append(entry).Append('\n');
        DurableFile.Replace(path, text.ToString());
    }

    /// <summary>A checkpoint of offsets by partition: topic, partition, offset.</summary>
    /// <exception cref="InvalidDataException">The file is not a whole checkpoint.</exception>
    public static Dictionary<TopicPartition, long> ReadOffsets(string path)
    {
        var offsets = new Dictionary<TopicPartition, long>();
        foreach (string[] fields in Read(path) ?? [])
        {
            if (fields.Length != 3
                || !int.TryParse(fields[1], CultureInfo.InvariantCulture, out int partition)
                || !long.TryParse(fields[2], CultureInfo.InvariantCulture, out long offset))
                throw new InvalidDataException($"The checkpoint file {path} has a line that is not a topic, partition and offset.");
            offsets[new TopicPartition(fields[0], partition)] = offset;
        }

        return offsets;
    }

    public static void WriteOffsets(string path, IEnumerable<KeyValuePair<TopicPartition, long>> offsets) =>
        Write(path, [.. offsets.Select(o => string.Create(CultureInfo.InvariantCulture, $"{o.Key.Topic} {o.Key.Partition} {o.Value}"))]);
}
