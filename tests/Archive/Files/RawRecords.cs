using System.Security.Cryptography;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Archive.Tests.Files;

/// <summary>Records for raw files, and their comparison bit by bit.</summary>
internal static class RawRecords
{
    public static readonly TopicPartition Place = new("bank.account.events", 3);

    /// <summary>A file of <paramref name="records"/>.</summary>
    public static MemoryStream Write(IEnumerable<ConsumeResult<byte[], byte[]>> records, int groupRows = RawFileWriter.MaxGroupRows)
    {
        var file = new MemoryStream();
        using var writer = new RawFileWriter(file, Place.Topic, Place.Partition.Value, groupRows);
        foreach (ConsumeResult<byte[], byte[]> record in records)
            Append(writer, record);
        writer.Complete();
        return file;
    }

    public static void Append(RawFileWriter writer, ConsumeResult<byte[], byte[]> record) =>
        writer.Append(record, HeadOf(record), CloudEventHeaders.Find(record.Message.Headers, CloudEventHeaders.Type) is { } type
            ? Encoding.UTF8.GetString(type)
            : null);

    public static ConsumeResult<byte[], byte[]>[] Read(Stream file, long fromOffset = 0)
    {
        using var reader = new RawFileReader(file);
        return [.. reader.Read(Place, fromOffset, TestContext.Current.CancellationToken)];
    }

    /// <summary>An event as nodes append it.</summary>
    public static ConsumeResult<byte[], byte[]> Event(long offset, string aggregate, long version, byte[]? value = null) => Record(
        offset, Encoding.UTF8.GetBytes(aggregate), value ?? [0, 0, 0, 0, 7, 1, 2, 3],
        new Timestamp(1_764_547_200_000 + offset, TimestampType.CreateTime),
        [
            new Header("ce_specversion", "1.0"u8.ToArray()), new Header("ce_id", Encoding.UTF8.GetBytes($"c{offset}-0")),
            new Header("ce_source", "/bank/account"u8.ToArray()), new Header("ce_type", "bank.Deposited"u8.ToArray()),
            new Header("ce_subject", Encoding.UTF8.GetBytes(aggregate)),
            new Header("ce_time", CloudEventHeaders.Encode(new DateTimeOffset(2025, 12, 1, 0, 0, 0, TimeSpan.Zero).AddSeconds(offset))),
            new Header("ce_sequence", CloudEventHeaders.Encode(version)),
            new Header("ce_causationid", Encoding.UTF8.GetBytes($"c{offset}")),
            new Header("ce_correlationid", Encoding.UTF8.GetBytes(offset % 5 == 3 ? $"c{offset}" : $"r{offset / 2}")),
            // As others may write them: the last of a name counts, and is not written as nodes do.
            .. offset % 7 == 2
                ? (Header[])[new Header("ce_sequence", Encoding.UTF8.GetBytes($"0{version}")),
                    new Header("ce_time", "2025-12-01T01:00:00+01:00"u8.ToArray())]
                : [],
        ]);

    public static ConsumeResult<byte[], byte[]> Record(long offset, byte[]? key, byte[]? value, Timestamp timestamp,
        params Header[] headers)
    {
        var all = new Headers();
        foreach (Header header in headers)
            all.Add(header);
        return new ConsumeResult<byte[], byte[]>
        {
            TopicPartitionOffset = new TopicPartitionOffset(Place, offset),
            Message = new Message<byte[], byte[]> { Key = key!, Value = value!, Headers = all, Timestamp = timestamp },
        };
    }

    /// <summary>All of a record as text, so that what differs is seen.</summary>
    public static string Show(ConsumeResult<byte[], byte[]> record) =>
        $"{record.Topic}[{record.Partition.Value}]@{record.Offset.Value} {record.Message.Timestamp.Type} "
        + $"{record.Message.Timestamp.UnixTimestampMs} key {Show(record.Message.Key)} value {Show(record.Message.Value)} headers "
        + string.Join(" ", record.Message.Headers.Select(h => $"{h.Key}={Show(h.GetValueBytes())}"));

    public static EventHead? HeadOf(ConsumeResult<byte[], byte[]> record)
    {
        try
        {
            return Heads.ReadHead(record);
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    private static EventCodec Heads { get; } = new(null!);

    private static string Show(byte[]? bytes) => bytes is null ? "null"
        : bytes.Length <= 64 ? $"'{Convert.ToHexString(bytes)}'"
        : $"{bytes.Length} bytes, {Convert.ToHexString(SHA256.HashData(bytes))}";
}
