using System.Text;
using Avro.File;
using Avro.Generic;
using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog.Tests.Exports;

/// <summary>A file of exported records: what was written is read, by others too; what is cut or damaged is refused.</summary>
public sealed class ExportedRecordsTests : IDisposable
{
    private static readonly DateTimeOffset At = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly string _folder = Directory.CreateTempSubdirectory("kes-export-").FullName;

    private string File => Path.Combine(_folder, "t.avro");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Records_are_read_as_they_stood_with_partitions_positions_and_schemas()
    {
        ConsumeResult<byte[], byte[]>[] written =
        [
            Record("t", 0, 5, "a", [0, 0, 0, 0, 7, 2], new Timestamp(1, TimestampType.CreateTime), ("x", "1"u8.ToArray()), ("x", null)),
            Record("t", 0, 9, null, null, new Timestamp(long.MaxValue, TimestampType.LogAppendTime)),
            Record("t", 0, 10, "", [], Timestamp.Default, ("", [])),
        ];
        Write(writer =>
        {
            Partition(writer, 0, (5, 12), written);
            Partition(writer, 1, (0, 3));
        });

        using ExportedRecords file = ExportedRecords.Open(File);
        file.Topics.ShouldBe(["t"]);
        file.PartitionsOf("t").ShouldBe([0, 1]);
        file.BoundsOf(new TopicPartition("t", 0), Cancellation).ToString().ShouldBe("5 .. 12");
        file.PositionsOf("app-t", "t").ShouldBe(new Dictionary<int, long> { [0] = 9 });
        file.PositionsOf("other", "t").ShouldBeEmpty();
        ConsumeResult<byte[], byte[]>[] read = [.. file.Read(new TopicPartition("t", 0), 0, Cancellation)];
        read.Select(Describe).ShouldBe(written.Select(Describe));
        read.Select(r => (r.Message.Timestamp.Type, r.Message.Timestamp.UnixTimestampMs)).ShouldBe(
            [(TimestampType.CreateTime, 1L), (Timestamp.Default.Type, Timestamp.Default.UnixTimestampMs),
                (Timestamp.Default.Type, Timestamp.Default.UnixTimestampMs)]);
        file.Read(new TopicPartition("t", 1), 0, Cancellation).ShouldBeEmpty();
        file.Contents.Schemas.Select(s => (s.Id, s.Schema is null)).ShouldBe([(7, false), (8, true)]);
        Should.Throw<InvalidInputException>(() => file.PartitionsOf("u")).Message.ShouldContain("does not have the topic u; it has t.");
    }

    [Fact]
    public void Reading_begins_at_any_offset_whichever_block_has_it()
    {
        Write(writer => Partition(writer, 0, (0, 6_000), [.. Enumerable.Range(0, 2_000).Select(i =>
            Record("t", 0, 3 * i, $"key-{i}", new byte[200], new Timestamp(i, TimestampType.CreateTime)))]));
        using ExportedRecords file = ExportedRecords.Open(File);
        foreach (long from in (long[])[0, 1, 3, 980, 981, 2_999, 3_000, 5_996, 5_997, 5_998])
            file.Read(new TopicPartition("t", 0), from, Cancellation).Select(r => r.Offset.Value).ShouldBe(
                Enumerable.Range(0, 2_000).Select(i => 3L * i).Where(o => o >= from));
    }

    [Fact]
    public void Apache_Avro_reads_the_file()
    {
        Write(writer => Partition(writer, 0, (0, 2),
            Record("t", 0, 0, "a", [1, 2], new Timestamp(At.UtcDateTime), ("h", "v"u8.ToArray())),
            Record("t", 0, 1, "b", null, new Timestamp(At.UtcDateTime))));

        using IFileReader<GenericRecord> reader = DataFileReader<GenericRecord>.OpenReader(File);
        GenericRecord[] read = [.. reader.NextEntries];

        read.Select(r => ((string)r["topic"], (int)r["partition"], (long)r["offset"], (DateTime)r["timestamp"])).ShouldBe(
            [("t", 0, 0L, At.UtcDateTime), ("t", 0, 1L, At.UtcDateTime)]);
        ((GenericEnum)read[0]["timestampType"]).Value.ShouldBe("CreateTime");
        ((byte[])read[0]["value"]).ShouldBe([1, 2]);
        read[1]["value"].ShouldBeNull();
        var header = (GenericRecord)((object[])read[0]["headers"])[0];
        ((string)header["name"], Encoding.UTF8.GetString((byte[])header["value"])).ShouldBe(("h", "v"));
        reader.GetMetaString(ExportContents.Key).ShouldContain("\"positions\"");
    }

    [Fact]
    public void File_that_is_cut_is_refused_with_what_is_missing()
    {
        Write(Thousand);
        byte[] whole = System.IO.File.ReadAllBytes(File);
        foreach (int length in (int[])[0, 3, 40, 200, whole.Length / 2, whole.Length - 20, whole.Length - 16, whole.Length - 1])
        {
            System.IO.File.WriteAllBytes(File, whole[..length]);
            string refused = Should.Throw<InvalidInputException>(() => ExportedRecords.Open(File)).Message;
            refused.ShouldContain(File);
            if (length >= whole.Length / 2)
                refused.ShouldMatch(@"is cut: [\d,]+ of its [\d,]+ bytes are missing\. Of its 2,000 records [\d,]+ are missing, "
                    + @"from record [\d,]+ of t, partition 1, on");
            else
                refused.ShouldMatch("is cut or damaged: its header|is not an Avro file|is empty");
        }
    }

    // Deflate has no sum of its own: a value with another byte in it was read as another value.
    [Fact]
    public void File_with_any_other_byte_is_refused()
    {
        Write(Thousand);
        byte[] whole = System.IO.File.ReadAllBytes(File);
        var random = new Random(7);
        foreach (int place in Enumerable.Range(0, 16).Concat(Enumerable.Range(0, 150).Select(_ => random.Next(whole.Length)))
            .Concat(Enumerable.Range(1, 20).Select(i => whole.Length - i)))
        {
            byte[] other = [.. whole];
            other[place] ^= 0x10;
            System.IO.File.WriteAllBytes(File, other);
            Should.Throw<InvalidInputException>(() => ExportedRecords.Open(File), $"byte {place}").Message.ShouldContain(File);
        }

        System.IO.File.WriteAllBytes(File, [.. whole, 0]);
        Should.Throw<InvalidInputException>(() => ExportedRecords.Open(File)).Message.ShouldContain("bytes in place of");
    }

    [Fact]
    public void File_of_somebody_else_is_refused()
    {
        using (var writer = DataFileWriter<GenericRecord>.OpenWriter(
            new GenericDatumWriter<GenericRecord>(global::Avro.Schema.Parse("""{"type":"record","name":"E","fields":[]}""")), File))
            writer.Flush();
        Should.Throw<InvalidInputException>(() => ExportedRecords.Open(File)).Message.ShouldContain(
            "was not written by 'kes topics export'");
        System.IO.File.WriteAllText(File, "nothing");
        Should.Throw<InvalidInputException>(() => ExportedRecords.Open(File)).Message.ShouldContain("is not an Avro file");
        Should.Throw<InvalidInputException>(() => ExportedRecords.Open(File + ".gone")).Message.ShouldContain("cannot be read");
    }

    [Fact]
    public void Export_that_ends_early_leaves_nothing_and_one_that_is_there_stays()
    {
        System.IO.File.WriteAllText(File, "before");
        using (var writer = new ExportWriter(File, overwrite: true))
        {
            writer.BeginTopic("t");
            Partition(writer, 0, (0, 1), Record("t", 0, 0, "a", [1], Timestamp.Default));
        }

        using (var writer = new ExportWriter(File, overwrite: false))
            Should.Throw<IOException>(() => writer.Finish(At, [], []));
        Directory.GetFiles(_folder).ShouldBe([File]);
        System.IO.File.ReadAllText(File).ShouldBe("before");
        using (var writer = new ExportWriter(File, overwrite: true))
            writer.Finish(At, [], []);
        Directory.GetFiles(_folder).ShouldBe([File]);
        ExportedRecords.Open(File).Dispose();
    }

    // A pipe was opened, and the program waited for its writer and did not end.
    [Fact]
    public void What_has_no_bytes_of_its_own_is_refused_without_opening_it()
    {
        System.IO.File.WriteAllBytes(File, []);
        Should.Throw<InvalidInputException>(() => ExportedRecords.Open(File)).Message.ShouldContain("is empty, or is a device or a pipe");
        ExportedRecords.IsAvroFile(File).ShouldBeFalse();
    }

    private static void Thousand(ExportWriter writer)
    {
        var random = new Random(3);
        for (int partition = 0; partition < 2; partition++)
        {
            Partition(writer, partition, (0, 1_000), [.. Enumerable.Range(0, 1_000).Select(i =>
            {
                byte[] value = new byte[partition == 0 ? 10 : 200];
                random.NextBytes(value);
                return Record("t", partition, i, $"key-{i}", value, new Timestamp(i, TimestampType.CreateTime));
            })]);
        }
    }

    private static void Partition(ExportWriter writer, int partition, (long First, long End) bounds,
        params ConsumeResult<byte[], byte[]>[] records)
    {
        writer.BeginPartition(partition, new WatermarkOffsets(bounds.First, bounds.End));
        foreach (ConsumeResult<byte[], byte[]> record in records)
            writer.Append(record);
        writer.EndPartition();
    }

    private static ConsumeResult<byte[], byte[]> Record(
        string topic, int partition, long offset, string? key, byte[]? value, Timestamp time,
        params (string Name, byte[]? Value)[] headers)
    {
        var all = new Headers();
        foreach ((string name, byte[]? told) in headers)
            all.Add(name, told);
        return new ConsumeResult<byte[], byte[]>
        {
            TopicPartitionOffset = new TopicPartitionOffset(topic, partition, offset),
            Message = new Message<byte[], byte[]>
            {
                Key = key is null ? null! : Encoding.UTF8.GetBytes(key),
                Value = value!,
                Headers = all,
                Timestamp = time,
            },
        };
    }

    private static string Describe(ConsumeResult<byte[], byte[]> record) => $"{record.TopicPartitionOffset} {Hex(record.Message.Key)} "
        + $"{Hex(record.Message.Value)} {string.Join(',', record.Message.Headers.Select(h => $"{h.Key}={Hex(h.GetValueBytes())}"))}";

    private static string Hex(byte[]? bytes) => bytes is null ? "null" : Convert.ToHexString(bytes);

    private void Write(Action<ExportWriter> write)
    {
        using var writer = new ExportWriter(File, overwrite: false);
        writer.BeginTopic("t");
        write(writer);
        writer.Finish(At, [new ExportedPositions("app-t", "t", new Dictionary<int, long> { [0] = 9 })],
            [
                new ExportedSchema(7, null, """{"type":"record","name":"E","namespace":"T","fields":[]}"""),
                new ExportedSchema(8, null, null),
            ]);
    }
}
