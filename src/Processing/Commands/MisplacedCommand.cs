using System.Globalization;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Commands that a producer has put on another partition than Kafka's murmur2 gives their key. The owner of the partition where such a
/// record lies forwards it to the right one, in the transaction that takes its offset; it is never decided where it lies, as its aggregate
/// is not there.
/// </summary>
internal static class MisplacedCommand
{
    /// <summary>Of a forwarded command: where it lay, and how many partitions there were, <c>partition@offset/partitions</c>.</summary>
    public const string ForwardedFromHeader = "kes_forwardedfrom";

    /// <summary>
    /// The partition that <paramref name="record"/> belongs to, when it lies on another one; null: it lies right, its key is not an
    /// aggregate id, or it is an operator's request, which goes to the partition of its letters.
    /// </summary>
    public static int? RightPartition(ConsumeResult<byte[], byte[]> record, int partitions) =>
        record.Message.Key is { } key && Murmur2.Partition(key, partitions) is var right && right != record.Partition.Value
        && !DeadLetterFormat.AggregateOf(key).IsDefault && !DeadLetterRequest.Is(record.Message.Headers)
            ? right
            : null;

    /// <summary>
    /// Why a misplaced record cannot be forwarded: it was already, by a node that saw as many partitions or more, so the two do not agree
    /// and would send it to and fro. Null: it can.
    /// </summary>
    public static string? ReasonToKeep(ConsumeResult<byte[], byte[]> record, int right, int partitions)
    {
        if (CloudEventHeaders.Find(record.Message.Headers, ForwardedFromHeader) is not { } from
            || !TryReadPartitions(from, out int then)
            || then < partitions)
            return null;
        return string.Create(CultureInfo.InvariantCulture,
            $"The command was forwarded from {Encoding.UTF8.GetString(from)} (partition@offset/partitions) to "
                + $"partition {record.Partition.Value}, and of the {partitions} partitions of {record.Topic} that this node sees its key "
                + $"belongs to {right}. ")
            + "Nodes do not agree on the number of partitions: restart them, then retry.";
    }

    /// <summary>
    /// The record as it is put on its right partition: key, value and headers as they are, and behind them where it came from, and whatever
    /// else would change with its place: its id and its time where it has none of its own, and where the reply goes. Its timestamp is new,
    /// so that retention does not take it before it is decided, unless it is one that cannot be told as a time.
    /// </summary>
    public static Message<byte[], byte[]> Forwarded(IncomingCommand command, int partitions, int replyPartitions)
    {
        ConsumeResult<byte[], byte[]> record = command.Record!;
        var headers = new Headers();
        foreach (IHeader header in record.Message.Headers)
            headers.Add(header.Key, header.GetValueBytes());
        var forwarded = new Message<byte[], byte[]> { Key = record.Message.Key, Value = record.Message.Value, Headers = headers };
        if (CloudEventHeaders.Find(headers, CloudEventHeaders.Id) is null)
            headers.Add(CloudEventHeaders.Id, Encoding.UTF8.GetBytes(command.CommandId.Value));
        if (!CommandRecord.IsTime(record.Message.Timestamp))
            forwarded.Timestamp = record.Message.Timestamp;
        else if (CloudEventHeaders.Find(headers, CloudEventHeaders.Time) is null)
            headers.Add(CloudEventHeaders.Time,
                CloudEventHeaders.Encode(DateTimeOffset.FromUnixTimeMilliseconds(record.Message.Timestamp.UnixTimestampMs)));
        if (command.ReplyPartition < 0 || command.ReplyPartition >= replyPartitions)
            headers.Add(CloudEventHeaders.ReplyTo,
                [.. CloudEventHeaders.Encode(record.Partition.Value % replyPartitions),
                    .. command.ReplyClient is { } client ? [(byte)'/', .. client] : Array.Empty<byte>()]);
        headers.Add(ForwardedFromHeader, Encoding.UTF8.GetBytes(
            string.Create(CultureInfo.InvariantCulture, $"{record.Partition.Value}@{record.Offset.Value}/{partitions}")));
        return forwarded;
    }

    private static bool TryReadPartitions(ReadOnlySpan<byte> from, out int partitions)
    {
        partitions = 0;
        int slash = from.LastIndexOf((byte)'/');
        return slash >= 0 && int.TryParse(from[(slash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out partitions);
    }
}
