using System.Globalization;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;
using RocksDbSharp;

namespace KafkaEventSourcing.Cli.Erasure;

/// <summary>
/// Looks for values in raw bytes: as UTF-8, as UTF-16, and in base64 wherever the text of theirs begins. Not thread-safe.
/// </summary>
internal sealed class ValueSearch
{
    private const int ChunkBytes = 1 << 20;
    private const int FewestBytes = 3; // less is found everywhere
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly List<(int Value, string Form, byte[] Bytes)> _forms = [];
    private readonly int _longest;

    public ValueSearch(IReadOnlyList<string> values)
    {
        for (int i = 0; i < values.Count; i++)
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(values[i]);
            if (utf8.Length < FewestBytes)
                throw new InvalidInputException("--verify",
                    $"--verify: value {i + 1} has less than {FewestBytes} bytes, and is found anywhere.");
            _forms.Add((i, "UTF-8", utf8));
            _forms.Add((i, "UTF-16", Encoding.Unicode.GetBytes(values[i])));
            _forms.Add((i, "UTF-16, big-endian", Encoding.BigEndianUnicode.GetBytes(values[i])));
            for (int shift = 0; shift < 3; shift++)
                AddBase64(i, utf8, shift);
        }

        _longest = _forms.Max(f => f.Bytes.Length);
    }

    public long Records { get; private set; }

    public long Files { get; private set; }

    public long Entries { get; private set; }

    /// <summary>Where records of the application's topics have a value, those of aborted transactions too.</summary>
    public IEnumerable<string> InTopics(KafkaConnection kafka, string application, CancellationToken cancellationToken)
    {
        using IAdminClient admin = ClusterOptions.Admin(kafka);
        TopicPartition[] partitions = [.. ClusterOptions.Topics(admin, kafka)
            .Where(t => t.Topic.StartsWith(application + ".", StringComparison.Ordinal))
            .SelectMany(t => t.Partitions.Select(p => new TopicPartition(t.Topic, p.PartitionId)))];
        if (partitions.Length == 0)
            throw new CommandFailedException($"There is no topic of an application '{application}' at {kafka.BootstrapServers}.");
        ConsumerConfig config = kafka.BoundedReader("kes-erase");
        config.IsolationLevel = IsolationLevel.ReadUncommitted;
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(config)
            .SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
        consumer.Assign(partitions.Select(p => new TopicPartitionOffset(p, Offset.Beginning)));
        for (int open = partitions.Length; open > 0;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ConsumeResult<byte[], byte[]> record = consumer.Consume(Patience)
                ?? throw new CommandFailedException($"Kafka gave neither a record nor an end within {Patience.TotalSeconds:0} s.");
            if (record.IsPartitionEOF)
            {
                open--;
                consumer.Pause([record.TopicPartition]);
                continue;
            }

            Records++;
            string place = string.Create(CultureInfo.InvariantCulture, $"{record.Topic} {record.Partition.Value}@{record.Offset.Value}");
            foreach (string what in In(record.Message.Key))
                yield return $"{place}, key: {what}";
            foreach (string what in In(record.Message.Value))
                yield return $"{place}, value: {what}";
            foreach (IHeader header in record.Message.Headers)
            {
                foreach (string what in In(header.GetValueBytes()))
                    yield return $"{place}, header {header.Key}: {what}";
            }
        }
    }

    /// <summary>
    /// Where files below <paramref name="folder"/> have a value, and entries of the state stores there, whose files are compressed.
    /// </summary>
    public IEnumerable<string> InFolder(string folder, CancellationToken cancellationToken)
    {
        foreach (string file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            cancellationToken.ThrowIfCancellationRequested();
            Files++;
            foreach (string what in InFile(file))
                yield return $"{file}: {what}";
            if (Path.GetFileName(file) != "CURRENT")
                continue;
            foreach (string what in InStore(Path.GetDirectoryName(file)!, cancellationToken))
                yield return what;
        }
    }

    private HashSet<string> InFile(string path)
    {
        var found = new HashSet<string>();
        using FileStream file = File.Open(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] chunk = new byte[ChunkBytes + _longest];
        int kept = 0;
        for (int read; (read = file.Read(chunk, kept, ChunkBytes)) > 0;)
        {
            int length = kept + read;
            found.UnionWith(In(chunk.AsSpan(0, length)));
            kept = Math.Min(_longest - 1, length);
            chunk.AsSpan(length - kept, kept).CopyTo(chunk); // what begins here may end in the next
        }

        return found;
    }

    private IEnumerable<string> InStore(string folder, CancellationToken cancellationToken)
    {
        using RocksDb store = RocksDb.OpenReadOnly(new DbOptions(), folder, errorIfLogFileExists: false);
        using Iterator entry = store.NewIterator();
        for (entry.SeekToFirst(); entry.Valid(); entry.Next())
        {
            cancellationToken.ThrowIfCancellationRequested();
            Entries++;
            foreach (string what in In(entry.Key()).Concat(In(entry.Value())))
                yield return $"{folder}, entry {Convert.ToHexStringLower(entry.Key())}: {what}";
        }
    }

    private List<string> In(ReadOnlySpan<byte> bytes)
    {
        var found = new List<string>();
        foreach ((int value, string form, byte[] sought) in _forms)
        {
            if (bytes.IndexOf(sought) >= 0)
                found.Add(string.Create(CultureInfo.InvariantCulture, $"value {value + 1} as {form}"));
        }

        return found;
    }

    // Three bytes are four digits: a value is one of three texts, by where it begins, less the digits that its neighbours have a part in.
    private void AddBase64(int value, byte[] utf8, int shift)
    {
        string text = Convert.ToBase64String([.. new byte[shift], .. utf8]);
        int first = shift == 0 ? 0 : shift + 1;
        int last = (shift + utf8.Length) * 8 / 6;
        if (last - first < FewestBytes + 1)
            return;
        string digits = text[first..last];
        _forms.Add((value, "base64", Encoding.ASCII.GetBytes(digits)));
        string url = digits.Replace('+', '-').Replace('/', '_');
        if (url != digits)
            _forms.Add((value, "base64url", Encoding.ASCII.GetBytes(url)));
    }
}
