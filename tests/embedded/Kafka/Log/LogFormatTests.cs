using System.Buffers.Binary;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Log;

/// <summary>
/// The files of a log, read by nothing of the log's own: byte by byte as Apache Kafka's OffsetIndex, TimeIndex, AbortedTxn,
/// ProducerSnapshot and checkpoint files are laid out.
/// </summary>
public sealed class LogFormatTests
{
    [Fact]
    public void Index_files_hold_relative_offsets_positions_and_timestamps_of_batches()
    {
        using var log = new TestLog(("index.interval.bytes", "100"));
        for (int i = 0; i < 20; i++)
            log.AppendOk("key", new string('v', 40), log.Clock.Ms + i);
        log.RestartCleanly();

        List<(long BaseOffset, long LastOffset, int Position, long MaxTimestamp)> batches = Batches(
            File.ReadAllBytes(Path.Combine(log.Folder, "00000000000000000000.log")));
        batches.Count.ShouldBe(20);
        byte[] index = File.ReadAllBytes(Path.Combine(log.Folder, "00000000000000000000.index"));
        (index.Length % 8).ShouldBe(0);
        index.Length.ShouldBeGreaterThan(0);
        for (int at = 0; at < index.Length; at += 8)
            batches.Select(b => (b.LastOffset, b.Position)).ShouldContain(
                (BinaryPrimitives.ReadInt32BigEndian(index.AsSpan(at)), BinaryPrimitives.ReadInt32BigEndian(index.AsSpan(at + 4))));
        byte[] times = File.ReadAllBytes(Path.Combine(log.Folder, "00000000000000000000.timeindex"));
        (times.Length % 12).ShouldBe(0);
        for (int at = 0; at < times.Length; at += 12)
            batches.Select(b => (b.MaxTimestamp, b.LastOffset)).ShouldContain(
                (BinaryPrimitives.ReadInt64BigEndian(times.AsSpan(at)), BinaryPrimitives.ReadInt32BigEndian(times.AsSpan(at + 8))));
        BinaryPrimitives.ReadInt64BigEndian(times.AsSpan(times.Length - 12)).ShouldBe(log.Clock.Ms + 19);
    }

    [Fact]
    public void Transaction_index_holds_producer_first_last_and_last_stable_offset()
    {
        using var log = new TestLog();
        log.AppendOk("k", "v");
        log.Log.Append(TestLog.Batch([("k", "a"), ("k", "b")], log.Clock.Ms, 7, 3, 0, transactional: true)).Error.ShouldBe(ErrorCode.None);
        log.Log.Append(TestLog.Batch([("k", "c")], log.Clock.Ms, 8, 0, 0, transactional: true)).Error.ShouldBe(ErrorCode.None);
        log.Log.AppendEndTransactionMarker(7, 3, commit: false, coordinatorEpoch: 0).BaseOffset.ShouldBe(4);
        log.Log.AppendEndTransactionMarker(8, 0, commit: true, coordinatorEpoch: 0).BaseOffset.ShouldBe(5);

        byte[] index = File.ReadAllBytes(Path.Combine(log.Folder, "00000000000000000000.txnindex"));
        index.Length.ShouldBe(34);
        BinaryPrimitives.ReadInt16BigEndian(index).ShouldBe((short)0);
        new[] { 2, 10, 18, 26 }.Select(at => BinaryPrimitives.ReadInt64BigEndian(index.AsSpan(at))).ShouldBe([7, 1, 4, 3]);
    }

    [Fact]
    public void Snapshot_holds_crc_and_producers()
    {
        using var log = new TestLog();
        log.Log.Append(TestLog.Batch([("k", "a"), ("k", "b")], log.Clock.Ms, 7, 3, 0, transactional: true)).Error.ShouldBe(ErrorCode.None);
        log.RestartCleanly();

        byte[] snapshot = File.ReadAllBytes(Path.Combine(log.Folder, "00000000000000000002.snapshot"));
        snapshot.Length.ShouldBe(2 + 4 + 4 + 46);
        BinaryPrimitives.ReadInt16BigEndian(snapshot).ShouldBe((short)1);
        BinaryPrimitives.ReadUInt32BigEndian(snapshot.AsSpan(2)).ShouldBe(BitwiseCrc32C(snapshot.AsSpan(6)));
        BinaryPrimitives.ReadInt32BigEndian(snapshot.AsSpan(6)).ShouldBe(1);
        ReadOnlySpan<byte> producer = snapshot.AsSpan(10);
        BinaryPrimitives.ReadInt64BigEndian(producer).ShouldBe(7); // producer id
        BinaryPrimitives.ReadInt16BigEndian(producer[8..]).ShouldBe((short)3); // epoch
        BinaryPrimitives.ReadInt32BigEndian(producer[10..]).ShouldBe(1); // last sequence
        BinaryPrimitives.ReadInt64BigEndian(producer[14..]).ShouldBe(1); // last offset
        BinaryPrimitives.ReadInt32BigEndian(producer[22..]).ShouldBe(1); // offset delta
        BinaryPrimitives.ReadInt64BigEndian(producer[26..]).ShouldBe(log.Clock.Ms);
        BinaryPrimitives.ReadInt32BigEndian(producer[34..]).ShouldBe(-1); // coordinator epoch
        BinaryPrimitives.ReadInt64BigEndian(producer[38..]).ShouldBe(0); // first offset of the open transaction
    }

    [Fact]
    public void Checkpoints_and_partition_metadata_are_Kafkas_text()
    {
        using var log = new TestLog();
        for (int i = 0; i < 3; i++)
            log.AppendOk("k", "v");
        log.Log.DeleteRecords(2).ShouldBe(ErrorCode.None);
        var id = new Guid("01234567-89ab-cdef-0123-456789abcdef");
        log.Manager.Open(new TopicPartition("other", 3), log.Config, _ => { }, id);
        log.Manager.Dispose();

        File.ReadAllText(Path.Combine(log.Root, "log-start-offset-checkpoint")).ShouldBe("0\n1\ntopic 0 2\n");
        File.ReadAllLines(Path.Combine(log.Root, "recovery-point-offset-checkpoint")).Order().ShouldBe(
            ["0", "2", "other 3 0", "topic 0 3"]);
        File.ReadAllText(Path.Combine(log.Folder, "leader-epoch-checkpoint")).ShouldBe("0\n1\n0 2\n");
        File.ReadAllText(Path.Combine(log.Root, "other-3", "partition.metadata")).ShouldBe("version: 0\ntopic_id: ASNFZ4mrze8BI0VniavN7w");
        File.ReadAllText(Path.Combine(log.Root, ".kafka_cleanshutdown")).ShouldContain("\"version\":0");
    }

    private static List<(long, long, int, long)> Batches(byte[] file)
    {
        var batches = new List<(long, long, int, long)>();
        for (int at = 0; at < file.Length; at += 12 + BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at + 8)))
        {
            long first = BinaryPrimitives.ReadInt64BigEndian(file.AsSpan(at));
            batches.Add((first, first + BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at + 23)), at,
                BinaryPrimitives.ReadInt64BigEndian(file.AsSpan(at + 35))));
        }

        return batches;
    }

    private static uint BitwiseCrc32C(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        foreach (byte one in data)
        {
            crc ^= one;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ (0x82F63B78u & (uint)-(int)(crc & 1));
        }

        return ~crc;
    }
}
