using System.Diagnostics;
using System.Globalization;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Log;

/// <summary>What a log does on one node, rule by rule.</summary>
public sealed class LogTests
{
    [Fact]
    public void Segment_rolls_by_size_time_and_full_index()
    {
        using var log = new TestLog(("segment.bytes", "200"), ("segment.ms", "1000"));
        log.AppendOk("k", new string('v', 60));
        log.AppendOk("k", new string('v', 60)); // 2 x ~130 bytes do not fit into 200
        log.Log.Segments.Select(s => s.BaseOffset).ShouldBe([0, 1]);
        log.Clock.Advance(TimeSpan.FromMilliseconds(1001));
        log.AppendOk("k", "v");
        log.Log.Segments.Select(s => s.BaseOffset).ShouldBe([0, 1, 2]);

        using var small = new TestLog(("segment.index.bytes", "30"), ("index.interval.bytes", "0"));
        for (int i = 0; i < 10; i++)
            small.AppendOk("k", "v", small.Clock.Ms + i);
        small.Log.Segments.Count.ShouldBeGreaterThan(2);
        small.ReadAll().Count.ShouldBe(10);
    }

    [Fact]
    public void Retention_deletes_by_time_size_and_start_and_removes_files_after_the_delay()
    {
        using var log = new TestLog(("segment.bytes", "200"), ("retention.ms", "1000"), ("file.delete.delay.ms", "5000"));
        for (int i = 0; i < 3; i++)
            log.AppendOk("k", new string('v', 60));
        log.Clock.Advance(TimeSpan.FromMilliseconds(900));
        log.AppendOk("k", new string('v', 60));
        log.Clock.Advance(TimeSpan.FromMilliseconds(200));
        log.Manager.Clean();
        log.Log.LogStartOffset.ShouldBe(3);
        log.Files("*.log.deleted").Length.ShouldBe(3);
        log.Clock.Advance(TimeSpan.FromMilliseconds(5000));
        log.Manager.Clean();
        log.Files("*.log.deleted").Length.ShouldBe(1); // the last one went by time meanwhile, and has its own delay
        log.Log.LogStartOffset.ShouldBe(4);

        using var sized = new TestLog(("segment.bytes", "200"), ("retention.bytes", "300"), ("retention.ms", "-1"));
        for (int i = 0; i < 5; i++)
            sized.AppendOk("k", new string('v', 60));
        sized.Manager.Clean();
        sized.Log.LogStartOffset.ShouldBe(2);
    }

    [Fact]
    public void Delete_records_is_refused_beyond_the_end_and_for_compacted_topics()
    {
        using var log = new TestLog();
        log.AppendOk("k", "v");
        log.Log.DeleteRecords(2).ShouldBe(ErrorCode.OffsetOutOfRange);
        log.Log.DeleteRecords(-1).ShouldBe(ErrorCode.None);
        log.Log.LogStartOffset.ShouldBe(1);
        using var compacted = new TestLog(("cleanup.policy", "compact"));
        compacted.Log.DeleteRecords(0).ShouldBe(ErrorCode.PolicyViolation);
    }

    // A broker that ended after it had taken a topic off the list and before it had written the checkpoints gave a new topic of that name
    // the start of the old one.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void New_topic_starts_at_0_after_a_broker_ended_while_it_deleted_one_of_its_name(bool folderWasMoved)
    {
        using var log = new TestLog();
        var partition = new TopicPartition("again", 0);
        UnifiedLog Open() => log.Manager.Open(partition, log.Config, _ => { }, Guid.CreateVersion7());
        UnifiedLog old = Open();
        for (int i = 0; i < 3; i++)
            old.Append(TestLog.Batch([("k", "v")], log.Clock.Ms)).Error.ShouldBe(ErrorCode.None);
        old.DeleteRecords(2).ShouldBe(ErrorCode.None);
        old.Flush();
        log.Manager.Clean();
        log.Crash(() =>
        {
            if (folderWasMoved)
                Directory.Move(old.Directory, old.Directory + ".0-delete");
        });

        UnifiedLog made = Open();
        (made.LogStartOffset, made.LogEndOffset, made.RecoveryPoint).ShouldBe((0, 0, 0));
        made.Append(TestLog.Batch([("k", "v")], log.Clock.Ms)).BaseOffset.ShouldBe(0);
        log.Crash();
        UnifiedLog reopened = log.Manager.Open(partition, log.Config, _ => { });
        (reopened.LogStartOffset, reopened.LogEndOffset).ShouldBe((0, 1));
    }

    [Fact]
    public void Compaction_keeps_tombstones_until_their_time_is_over()
    {
        using var log = new TestLog(("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0"), ("delete.retention.ms", "1000"));
        log.AppendOk("a", "1");
        log.AppendOk("b", "1");
        log.AppendOk("a", null);
        log.Log.RollSegment();
        log.AppendOk("c", "1");
        log.Log.RollSegment();
        log.Manager.Clean();
        log.ReadAll().ShouldBe([(1, "b", "1"), (2, "a", null), (3, "c", "1")]);
        log.Clock.Advance(TimeSpan.FromMilliseconds(1001));
        log.AppendOk("c", "2");
        log.Log.RollSegment();
        log.Manager.Clean();
        log.ReadAll().ShouldBe([(1, "b", "1"), (4, "c", "2")]);
    }

    [Fact]
    public void Compaction_waits_for_dirty_ratio_and_minimum_lag_but_not_beyond_the_maximum_lag()
    {
        using var log = new TestLog(("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "1"), ("min.compaction.lag.ms", "1000"),
            ("max.compaction.lag.ms", "5000"));
        log.AppendOk("a", "1");
        log.AppendOk("a", "2");
        log.Log.RollSegment();
        log.Clock.Advance(TimeSpan.FromMilliseconds(4000));
        log.Manager.Clean();
        log.ReadAll().Count.ShouldBe(2); // all is dirty, which is no more than a ratio of 1
        log.Clock.Advance(TimeSpan.FromMilliseconds(1001));
        log.Manager.Clean();
        log.ReadAll().ShouldBe([(1, "a", "2")]);
    }

    [Fact]
    public void Compaction_takes_aborted_records_and_markers_of_nothing_but_never_what_is_open()
    {
        using var log = new TestLog(("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0"), ("delete.retention.ms", "1000"));
        log.Log.Append(TestLog.Batch([("a", "aborted")], log.Clock.Ms, 1, 0, 0, transactional: true)).Error.ShouldBe(ErrorCode.None);
        log.Log.AppendEndTransactionMarker(1, 0, commit: false, 0).Error.ShouldBe(ErrorCode.None);
        log.Log.Append(TestLog.Batch([("a", "kept")], log.Clock.Ms, 1, 0, 1, transactional: true)).Error.ShouldBe(ErrorCode.None);
        log.Log.AppendEndTransactionMarker(1, 0, commit: true, 0).Error.ShouldBe(ErrorCode.None);
        log.Log.Append(TestLog.Batch([("a", "open")], log.Clock.Ms, 1, 0, 2, transactional: true)).Error.ShouldBe(ErrorCode.None);
        log.Log.RollSegment();
        log.Manager.Clean();
        // The open transaction is in the segment: nothing of it is cleaned.
        log.ReadAll().Select(r => r.Value).ShouldBe(["aborted", "kept", "open"]);
        log.Log.AppendEndTransactionMarker(1, 0, commit: false, 0).Error.ShouldBe(ErrorCode.None);
        log.Log.RollSegment();
        log.AppendOk("b", "x");
        log.Manager.Clean();
        log.ReadAll().Select(r => r.Value).ShouldBe(["kept", "x"]);
        log.ReadAll(readCommitted: true).Select(r => r.Value).ShouldBe(["kept", "x"]);
        // The producer goes on where it was.
        log.Log.Append(TestLog.Batch([("a", "next")], log.Clock.Ms, 1, 0, 3, transactional: true)).Error.ShouldBe(ErrorCode.None);
    }

    [Fact]
    public void Repetition_of_one_of_the_last_five_batches_gets_its_first_offset()
    {
        using var log = new TestLog();
        for (int i = 0; i < 6; i++)
            log.Log.Append(TestLog.Batch([("k", "v")], log.Clock.Ms, 5, 0, i)).BaseOffset.ShouldBe(i);
        log.Log.Append(TestLog.Batch([("k", "v")], log.Clock.Ms, 5, 0, 1)).BaseOffset.ShouldBe(1);
        log.Log.Append(TestLog.Batch([("k", "v")], log.Clock.Ms, 5, 0, 0)).Error.ShouldBe(ErrorCode.OutOfOrderSequenceNumber);
        log.Log.Append(TestLog.Batch([("k", "v")], log.Clock.Ms, 5, 0, 7)).Error.ShouldBe(ErrorCode.OutOfOrderSequenceNumber);
        log.Log.Append(TestLog.Batch([("k", "v")], log.Clock.Ms, 5, 1, 4)).Error.ShouldBe(ErrorCode.OutOfOrderSequenceNumber);
        log.Log.Append(TestLog.Batch([("k", "v")], log.Clock.Ms, 5, 1, 0)).BaseOffset.ShouldBe(6);
        log.Log.Append(TestLog.Batch([("k", "v")], log.Clock.Ms, 5, 0, 6)).Error.ShouldBe(ErrorCode.InvalidProducerEpoch);
        log.Log.AppendEndTransactionMarker(5, 0, commit: false, 0).Error.ShouldBe(ErrorCode.InvalidProducerEpoch);
    }

    [Fact]
    public void Bad_batches_are_refused_each_with_its_error()
    {
        using var log = new TestLog(("max.message.bytes", "200"), ("message.timestamp.before.max.ms", "1000"),
            ("message.timestamp.after.max.ms", "1000"));
        log.Append("k", new string('v', 300)).Error.ShouldBe(ErrorCode.MessageTooLarge);
        log.Append("k", "v", log.Clock.Ms - 1001).Error.ShouldBe(ErrorCode.InvalidTimestamp);
        AppendResult future = log.Append("k", "v", log.Clock.Ms + 1001);
        future.Error.ShouldBe(ErrorCode.InvalidTimestamp);
        future.RecordErrors!.Single().Index.ShouldBe(0);
        byte[] corrupt = TestLog.Batch([("k", "v")], log.Clock.Ms);
        corrupt[^1] ^= 1;
        log.Log.Append(corrupt).Error.ShouldBe(ErrorCode.CorruptMessage);
        byte[] two = [.. TestLog.Batch([("k", "v")], log.Clock.Ms), .. TestLog.Batch([("k", "v")], log.Clock.Ms)];
        log.Log.Append(two).Error.ShouldBe(ErrorCode.InvalidRecord);
        log.Log.Append(RecordBatchBuilder.EndTransactionMarker(1, 0, true, 0, log.Clock.Ms)).Error.ShouldBe(ErrorCode.InvalidRecord);
        byte[] count = TestLog.Batch([("k", "v")], log.Clock.Ms);
        new RecordBatch(count).Rewrite(count.Length, 0, log.Clock.Ms, log.Clock.Ms, 4, 5, false);
        log.Log.Append(count).Error.ShouldBe(ErrorCode.InvalidRecord);
        log.Log.LogEndOffset.ShouldBe(0);

        using var compacted = new TestLog(("cleanup.policy", "compact"));
        AppendResult keyless = compacted.Log.Append(
            TestLog.Batch([("k", "v"), (null, "v")], compacted.Clock.Ms, codec: RecordCompression.Lz4));
        keyless.Error.ShouldBe(ErrorCode.InvalidRecord);
        keyless.RecordErrors!.Single().Index.ShouldBe(1);
    }

    [Theory]
    [InlineData("gzip", 1)]
    [InlineData("snappy", 2)]
    [InlineData("lz4", 3)]
    [InlineData("zstd", 4)]
    [InlineData("uncompressed", 0)]
    public void Compression_type_of_the_topic_replaces_the_producers(string type, int codec)
    {
        using var log = new TestLog(("compression.type", type));
        log.Log.Append(TestLog.Batch([("k", new string('v', 500)), ("k", "w")], log.Clock.Ms, codec: codec == 4 ? 1 : 4)).Error.ShouldBe(
            ErrorCode.None);
        new RecordBatch(log.Log.Read(0, 10_000, false, true).Records.Span).Codec.ShouldBe(codec);
        log.ReadAll().ShouldBe([(0, "k", new string('v', 500)), (1, "k", "w")]);
    }

    [Fact]
    public void Log_append_time_stamps_records_and_answers()
    {
        using var log = new TestLog(("message.timestamp.type", "LogAppendTime"));
        log.AppendOk("k", "v", 5).LogAppendTime.ShouldBe(log.Clock.Ms);
        log.Log.OffsetForTimestamp(log.Clock.Ms).ShouldBe((0, log.Clock.Ms));
        log.Log.OffsetForTimestamp(log.Clock.Ms + 1).ShouldBeNull();
    }

    [Fact]
    public void Offsets_are_found_by_time_and_by_the_largest_time()
    {
        using var log = new TestLog(("segment.bytes", "300"), ("index.interval.bytes", "0"));
        long[] times = [10, 30, 20, 50, 40, 50];
        foreach (long time in times)
            log.AppendOk("k", "some value", time);
        for (int round = 0; round < 2; round++)
        {
            log.Log.OffsetForTimestamp(5).ShouldBe((0, 10));
            log.Log.OffsetForTimestamp(15).ShouldBe((1, 30));
            log.Log.OffsetForTimestamp(31).ShouldBe((3, 50));
            log.Log.OffsetForTimestamp(51).ShouldBeNull();
            log.Log.MaxTimestamp().ShouldBe((3, 50));
            log.RestartCleanly();
        }
    }

    [Fact]
    public void Flush_settings_move_the_recovery_point()
    {
        using var log = new TestLog(("flush.messages", "2"));
        log.AppendOk("k", "v");
        log.Log.RecoveryPoint.ShouldBe(0);
        log.AppendOk("k", "v");
        log.Log.RecoveryPoint.ShouldBe(2);
        using var timed = new TestLog(("flush.ms", "100"));
        timed.AppendOk("k", "v");
        timed.Clock.Advance(TimeSpan.FromMilliseconds(99));
        timed.Log.RecoveryPoint.ShouldBe(0);
        timed.Clock.Advance(TimeSpan.FromMilliseconds(1));
        timed.Log.RecoveryPoint.ShouldBe(1);
    }

    [Fact]
    public void Much_that_is_not_flushed_is_flushed_by_the_next_look_and_the_checkpoint_says_so()
    {
        using var log = new TestLog();
        string large = new('v', 1_000_000);
        for (int i = 0; i < 16; i++)
            log.AppendOk("k", large);
        log.Manager.Flush();
        log.Log.RecoveryPoint.ShouldBe(0); // 16,000,000 bytes and some are below 16 MiB
        for (int i = 0; i < 2; i++)
            log.AppendOk("k", large);
        log.Manager.Flush();
        log.Log.RecoveryPoint.ShouldBe(18);
        File.ReadAllText(Path.Combine(log.Root, "recovery-point-offset-checkpoint")).ShouldContain("topic 0 18");
    }

    [Fact]
    public void Config_change_takes_effect_at_once()
    {
        using var log = new TestLog();
        log.AppendOk("k", new string('v', 300));
        log.Log.Config = new LogConfig(new Dictionary<string, string> { ["max.message.bytes"] = "200" });
        log.Append("k", new string('v', 300)).Error.ShouldBe(ErrorCode.MessageTooLarge);
    }

    [Theory]
    [InlineData("no.such.config", "1", "Unknown topic config name: no.such.config")]
    [InlineData("retention.ms", "soon", "Invalid value soon for configuration retention.ms: Not a number of type LONG")]
    [InlineData("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1")]
    [InlineData("min.cleanable.dirty.ratio", "1.5",
        "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1")]
    [InlineData("max.message.bytes", "3000000000",
        "Invalid value 3000000000 for configuration max.message.bytes: Not a number of type INT")]
    [InlineData("cleanup.policy", "compact,shred",
        "Invalid value shred for configuration cleanup.policy: String must be one of: compact, delete")]
    [InlineData("preallocate", "yes", "Invalid value yes for configuration preallocate: Expected value to be either true or false")]
    [InlineData("segment.ms", null, "Null value not supported for topic configs: segment.ms")]
    [InlineData("min.compaction.lag.ms", "9223372036854775807", null)]
    [InlineData("cleanup.policy", " compact , delete ", null)]
    public void Config_values_are_checked_in_Kafkas_words(string name, string? value, string? wrong) =>
        LogConfig.Check([KeyValuePair.Create(name, value)], new Dictionary<string, string>()).ShouldBe(wrong);

    [Fact]
    public void Swap_files_of_a_compaction_that_was_interrupted_replace_what_they_were_made_of()
    {
        using var log = new TestLog(("cleanup.policy", "compact"));
        log.AppendOk("a", "1");
        log.Log.RollSegment();
        log.AppendOk("a", "2");
        log.Log.RollSegment();
        log.AppendOk("b", "3");
        log.Crash(() =>
        {
            // The swap of segments 0 and 1 holds the second record only.
            string second = Path.Combine(log.Folder, "00000000000000000001.log");
            File.Copy(second, Path.Combine(log.Folder, "00000000000000000000.log.swap"));
            File.WriteAllText(Path.Combine(log.Folder, "00000000000000000002.log.cleaned"), "half");
        });
        log.ReadAll().ShouldBe([(1, "a", "2"), (2, "b", "3")]);
        log.Files("*.swap").ShouldBeEmpty();
        log.Files("*.cleaned").ShouldBeEmpty();
        log.Log.Segments.Select(s => s.BaseOffset).ShouldBe([0, 2]);
    }

    [Fact]
    public void Garbage_in_an_index_is_made_good_from_the_log()
    {
        using var log = new TestLog(("index.interval.bytes", "100"), ("segment.bytes", "1000"));
        for (int i = 0; i < 30; i++)
            log.AppendOk("k", i.ToString(CultureInfo.InvariantCulture), i);
        log.RestartCleanly();
        log.Crash(() =>
        {
            foreach (string index in Directory.EnumerateFiles(log.Folder, "*index"))
                File.WriteAllBytes(index, [.. Enumerable.Repeat((byte)0x7f, 24)]);
        });
        log.ReadAll().Count.ShouldBe(30);
        log.Log.OffsetForTimestamp(17).ShouldBe((17, 17));
    }

    [Fact]
    public void Start_after_a_crash_reads_only_the_tail_of_ten_gigabytes()
    {
        using var log = new TestLog();
        log.AppendOk("k", "v");
        log.Log.Flush();
        log.Manager.Clean();
        log.Manager.Close(clean: false);
        // Ten sparse gigabytes: segments of which each holds one batch that claims nearly all of it. Reading them would take many seconds.
        byte[] header = TestLog.Batch([("k", "v")], log.Clock.Ms);
        const long SegmentSize = 1L << 30;
        for (int i = 1; i <= 10; i++)
        {
            string name = Path.Combine(log.Folder, LogSegment.NameOf(i));
            System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(header, i);
            System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(8), (int)(SegmentSize - 12));
            using (FileStream file = File.Create(name + ".log"))
            {
                file.Write(header.AsSpan(0, 61));
                file.SetLength(SegmentSize);
            }

            File.WriteAllBytes(name + ".index", []);
            File.WriteAllBytes(name + ".timeindex", []);
        }

        ProducerSnapshotFile.Write(Path.Combine(log.Folder, LogSegment.NameOf(11) + ".snapshot"), []);
        File.WriteAllText(Path.Combine(log.Root, "recovery-point-offset-checkpoint"), "0\n1\ntopic 0 11\n");
        long started = Stopwatch.GetTimestamp();
        log.Crash();
        TimeSpan took = Stopwatch.GetElapsedTime(started);
        log.Log.LogEndOffset.ShouldBe(11);
        log.Log.Size.ShouldBeGreaterThan(10 * SegmentSize);
        took.ShouldBeLessThan(TimeSpan.FromSeconds(2)); // milliseconds, on a machine that does something else
    }

    [Fact]
    public void Readable_bytes_are_those_that_reads_give_over_segments_and_up_to_the_stable_offset()
    {
        using var test = new TestLog(("segment.bytes", "1024"));
        for (int i = 0; i < 40; i++)
            test.AppendOk("k", new string('v', i * 5));
        test.Log.Append(TestLog.Batch([("k", "open")], test.Clock.Ms, producerId: 7, epoch: 0, sequence: 0, transactional: true)).Error
            .ShouldBe(ErrorCode.None);
        test.AppendOk("k", "behind");
        test.Log.Segments.Count.ShouldBeGreaterThan(3);
        long Given(long offset, bool readCommitted)
        {
            long bytes = 0;
            while (test.Log.Read(offset, int.MaxValue, readCommitted, minOne: true).Records is { Length: > 0 } records)
            {
                bytes += records.Length;
                for (int at = 0; at < records.Length; at += new RecordBatch(records.Span[at..]).Size)
                    offset = new RecordBatch(records.Span[at..]).NextOffset;
            }

            return bytes;
        }

        for (long offset = 0; offset <= test.Log.LogEndOffset; offset++)
        {
            test.Log.ReadableBytes(offset, readCommitted: false).ShouldBe(Given(offset, readCommitted: false));
            test.Log.ReadableBytes(offset, readCommitted: true).ShouldBe(Given(offset, readCommitted: true));
        }
        test.Log.ReadableBytes(test.Log.LogEndOffset + 1, readCommitted: false).ShouldBeNull();
    }
}
