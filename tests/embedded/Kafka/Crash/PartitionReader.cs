using System.Buffers.Binary;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Crash;

/// <summary>A record as it lies in the log.</summary>
internal readonly record struct SeenRecord(long Offset, int Producer, int Sequence, int Transaction);

/// <summary>
/// Reads partitions, up to the end that they have at the first request, by the protocol alone and checks every batch: no client in between
/// mends what it finds.
/// </summary>
internal static class PartitionReader
{
    public const int HeadLength = 12;
    private const short Version = 12;

    public static (List<SeenRecord> Records, long End) Read(RawClient client, TopicPartition partition, bool readCommitted, bool compacted)
    {
        var seen = new List<SeenRecord>();
        long offset = 0;
        long end = -1;
        var aborting = new HashSet<long>();
        while (true)
        {
            var request = new FetchRequest
            {
                MaxBytes = 50_000_000,
                SessionEpoch = -1,
                IsolationLevel = (sbyte)(readCommitted ? 1 : 0),
                Topics = [new FetchRequest.TopicItem
                {
                    Name = partition.Topic,
                    Partitions = [new FetchRequest.TopicItem.PartitionItem
                    {
                        Index = partition.Partition, FetchOffset = offset, PartitionMaxBytes = 16_000_000,
                    }],
                }],
            };
            FetchResponse.TopicItem.PartitionItem answer =
                client.Ask<FetchRequest, FetchResponse>(request, Version, FetchResponse.Read).Responses[0].Partitions[0];
            answer.ErrorCode.ShouldBe((short)0, $"{partition} from {offset}");
            if (end < 0)
                end = readCommitted ? answer.LastStableOffset : answer.HighWatermark;
            if (offset >= end)
                return (seen, end);
            if (answer.Records is not { Length: > 0 } records)
                throw new InvalidOperationException($"{partition} cannot be read from {offset} to its end, {end}.");

            var pending = new Queue<FetchResponse.TopicItem.PartitionItem.AbortedTransaction>(
                (answer.AbortedTransactions ?? []).OrderBy(a => a.FirstOffset));
            for (int at = 0; at < records.Length;)
            {
                RecordBatch.Check(records.Span[at..]).ShouldBe(ErrorCode.None, $"{partition} has a torn batch behind {offset}");
                var batch = new RecordBatch(System.Runtime.InteropServices.MemoryMarshal.AsMemory(records).Span[at..]);
                batch.HasValidCrc.ShouldBeTrue($"{partition} has a corrupt batch at {batch.BaseOffset}");
                if (compacted)
                    batch.BaseOffset.ShouldBeGreaterThanOrEqualTo(offset, $"{partition} goes back");
                else
                    batch.BaseOffset.ShouldBe(offset, $"{partition} has a hole or a repetition");
                while (pending.TryPeek(out FetchResponse.TopicItem.PartitionItem.AbortedTransaction? next)
                    && next.FirstOffset <= batch.LastOffset)
                    aborting.Add(pending.Dequeue().ProducerId);
                if (batch.IsControl)
                {
                    if (batch.Commits == false)
                        aborting.Remove(batch.ProducerId);
                }
                else if (!batch.IsTransactional || !readCommitted || !aborting.Contains(batch.ProducerId))
                {
                    long baseOffset = batch.BaseOffset;
                    foreach (LogRecord record in RecordReader.Read(records.Slice(at, batch.Size)))
                        seen.Add(Parse(baseOffset + record.OffsetDelta, record.Value!.Value.Span));
                }

                offset = batch.NextOffset;
                at += batch.Size;
            }
        }
    }

    public static byte[] Value(int producer, int sequence, int transaction, int size)
    {
        byte[] value = new byte[HeadLength + size];
        value.AsSpan(HeadLength).Fill((byte)sequence);
        BinaryPrimitives.WriteInt32BigEndian(value, producer);
        BinaryPrimitives.WriteInt32BigEndian(value.AsSpan(4), sequence);
        BinaryPrimitives.WriteInt32BigEndian(value.AsSpan(8), transaction);
        return value;
    }

    private static SeenRecord Parse(long offset, ReadOnlySpan<byte> value)
    {
        int sequence = BinaryPrimitives.ReadInt32BigEndian(value[4..]);
        value[HeadLength..].ContainsAnyExcept((byte)sequence).ShouldBeFalse($"the value at {offset} is not as it was sent");
        return new SeenRecord(offset, BinaryPrimitives.ReadInt32BigEndian(value), sequence,
            BinaryPrimitives.ReadInt32BigEndian(value[8..]));
    }
}
