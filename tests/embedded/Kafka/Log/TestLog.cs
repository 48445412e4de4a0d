using System.Text;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Log;

/// <summary>One log of a log manager in a folder of its own, with what tests do to it.</summary>
internal sealed class TestLog : IDisposable
{
    public static readonly TopicPartition Partition = new("topic", 0);

    private LogManager _manager;

    public TestLog(params (string Name, string Value)[] configs)
    {
        Config = new LogConfig(configs.ToDictionary(c => c.Name, c => c.Value));
        _manager = Start();
    }

    public ManualClock Clock { get; } = new();

    public string Root { get; } = Directory.CreateTempSubdirectory("kafka-log-").FullName;

    public string Folder => Path.Combine(Root, Partition.ToString());

    public LogConfig Config { get; set; }

    public UnifiedLog Log { get; private set; } = null!;

    public LogManager Manager => _manager;

    public static byte[] Batch(IReadOnlyList<(string? Key, string? Value)> records, long timestamp, long producerId = -1, short epoch = -1,
        int sequence = -1, bool transactional = false, int codec = 0)
    {
        byte[] batch = RecordBatchBuilder.Build([.. records.Select(r => (Bytes(r.Key), Bytes(r.Value)))], timestamp, producerId, epoch,
            transactional);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(batch.AsSpan(53), sequence);
        new RecordBatch(batch).SetMaxTimestamp(timestamp);
        return codec == 0 ? batch : RecordBatchBuilder.Recompress(batch, codec, 3);
    }

    public AppendResult Append(string? key, string? value, long? timestamp = null) =>
        Log.Append(Batch([(key, value)], timestamp ?? Clock.Ms));

    public AppendResult AppendOk(string? key, string? value, long? timestamp = null)
    {
        AppendResult result = Append(key, value, timestamp);
        result.Error.ShouldBe(ErrorCode.None);
        return result;
    }

    /// <summary>What a consumer sees: offset, key and value of each record, aborted ones left out when it reads committed.</summary>
    public List<(long Offset, string? Key, string? Value)> ReadAll(bool readCommitted = false, int maxBytes = 300)
    {
        var seen = new List<(long, string?, string?)>();
        for (long offset = Log.LogStartOffset; ;)
        {
            LogRead read = Log.Read(offset, maxBytes, readCommitted, minOne: true);
            read.Error.ShouldBe(ErrorCode.None);
            if (read.Records.Length == 0)
                return seen;
            var pending = new Queue<AbortedTransaction>((read.Aborted ?? []).OrderBy(a => a.FirstOffset));
            var aborting = new HashSet<long>();
            for (int at = 0; at < read.Records.Length;)
            {
                var batch = new RecordBatch(read.Records.Span[at..]);
                batch.HasValidCrc.ShouldBeTrue();
                while (pending.TryPeek(out AbortedTransaction next) && next.FirstOffset <= batch.LastOffset)
                    aborting.Add(pending.Dequeue().ProducerId);
                if (batch.IsControl)
                {
                    if (batch.Commits == false)
                        aborting.Remove(batch.ProducerId);
                }
                else if (!batch.IsTransactional || !aborting.Contains(batch.ProducerId))
                {
                    long baseOffset = batch.BaseOffset;
                    foreach (LogRecord record in RecordReader.Read(read.Records.Slice(at, batch.Size)))
                    {
                        if (baseOffset + record.OffsetDelta >= offset)
                            seen.Add((baseOffset + record.OffsetDelta, Text(record.Key), Text(record.Value)));
                    }
                }

                offset = batch.NextOffset;
                at += batch.Size;
            }
        }
    }

    public void RestartCleanly()
    {
        _manager.Dispose();
        _manager = Start();
    }

    /// <summary>The process dies; <paramref name="damage"/> is what the machine then loses.</summary>
    public void Crash(Action? damage = null)
    {
        _manager.Close(clean: false);
        damage?.Invoke();
        _manager = Start();
    }

    public string[] Files(string pattern) => [.. Directory.EnumerateFiles(Folder, pattern).Select(f => Path.GetFileName(f)!).Order()];

    public void Dispose()
    {
        _manager.Close(clean: false);
        Directory.Delete(Root, recursive: true);
    }

    private static ReadOnlyMemory<byte>? Bytes(string? text) =>
        text is null ? default(ReadOnlyMemory<byte>?) : Encoding.UTF8.GetBytes(text);

    private static string? Text(ReadOnlyMemory<byte>? bytes) => bytes is { } b ? Encoding.UTF8.GetString(b.Span) : null;

    private LogManager Start()
    {
        var manager = new LogManager(Root, Clock, NullLogger.Instance);
        Log = manager.Open(Partition, Config, _ => { });
        return manager;
    }
}
